// What every "npm run" command goes through: it makes ready what the command needs, then runs it on the project's Node 24.
// Plain JavaScript without packages, because on a fresh clone npm starts it on the system's Node 20 and nothing is installed.
import { spawn } from 'node:child_process';
import { delimiter, dirname } from 'node:path';
import { commandNames, findCommand } from './setup/commands.mjs';
import { nodeBin } from './setup/paths.mjs';
import { runSteps } from './setup/progress.mjs';
import { SetupError, stopRunning } from './setup/run-command.mjs';
import { workerBin, workerStep } from './setup/worker.mjs';

const [name, ...args] = process.argv.slice(2);
const command = findCommand(name, args);
if (command === undefined) {
  process.stderr.write(`Usage: node scripts/run.mjs <${commandNames.join('|')}> [arguments]\n`);
  process.exit(2);
}

await prepare(command);
if (command.program.length > 0) run(command);

/** @param {import('./setup/commands.mjs').Command} wanted */
async function prepare(wanted) {
  process.on('SIGINT', stopSetUp).on('SIGTERM', stopSetUp);
  try {
    await runSteps(wanted.steps, { isVerbose: name === 'setup' });
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stderr.write(`\n${error.message}\n`);
    process.exit(1);
  }
  process.off('SIGINT', stopSetUp).off('SIGTERM', stopSetUp);
}

/** @param {NodeJS.Signals} signal */
function stopSetUp(signal) {
  stopRunning();
  process.stderr.write(`\nSet-up stopped by ${signal}; run the same command again to go on.\n`);
  process.exit(signal === 'SIGINT' ? 130 : 143);
}

/** @param {import('./setup/commands.mjs').Command} wanted */
function run(wanted) {
  /** @type {NodeJS.ProcessEnv} */
  const env = { ...process.env, PATH: `${dirname(nodeBin)}${delimiter}${process.env.PATH ?? ''}` };
  if (wanted.steps.includes(workerStep)) env.MEDIASOUP_WORKER_BIN = workerBin();
  if (name === 'start' || name === 'demo' || name === 'bench') env.NODE_ENV ??= 'production';
  const child = spawn(nodeBin, [...wanted.program, ...args], { stdio: 'inherit', env });
  // A terminal sends Ctrl-C to every process in front of it, so the child has it already; anything else reaches only us.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'));
  for (const signal of /** @type {NodeJS.Signals[]} */ (['SIGTERM', 'SIGHUP'])) {
    process.on(signal, () => child.kill(signal));
  }
  child.on('error', (error) => {
    process.stderr.write(`Cannot run ${nodeBin}: ${error.message}\n`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    // End in the same way, so that the caller sees the signal too.
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
