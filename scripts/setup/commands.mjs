import { join } from 'node:path';
import { debianStep } from './debian.mjs';
import { npmStep, nodeStep } from './packages.mjs';
import { projectRoot } from './paths.mjs';
import { sqliteStep } from './sqlite.mjs';
import { webStep } from './web.mjs';
import { workerStep } from './worker.mjs';
import { workerSelfTestStep } from './worker-self-test.mjs';

/**
 * @import { PackageGroup } from './debian.mjs'
 * @import { Step } from './progress.mjs'
 *
 * @typedef {object} Command
 * @property {Step[]} steps what must be ready before it runs
 * @property {string[]} program what Node 24 is given, before the person's own arguments; empty: only the set-up
 */

const packageSteps = [npmStep, nodeStep];
const workerSteps = [workerStep, workerSelfTestStep];

/**
 * Every step, with the Debian packages of `groups`.
 * @param {PackageGroup[]} groups
 * @returns {Step[]}
 */
function everything(...groups) {
  return [debianStep(groups), ...packageSteps, sqliteStep, ...workerSteps, webStep];
}

const everythingForTests = everything('runtime', 'simulators', 'browser', 'postgres', 's3', 'tests');

const prettier = ['node_modules/prettier/bin/prettier.cjs', '--config', 'scripts/config/prettier.json'];

/** What each `npm run` command needs and runs; args: what the person typed after it. */
const commands = {
  setup: () => ({ steps: everythingForTests, program: [] }),
  demo: () => ({ steps: everything('runtime', 'simulators', 'browser'), program: ['scripts/demo.ts'] }),
  start: () => ({ steps: everything('runtime', 'browser'), program: ['server/main.ts'] }),
  bench: () => ({
    steps: everything('runtime', 'simulators', 'browser', 'postgres', 'tests'),
    program: ['scripts/bench.ts'],
  }),
  test: testCommand,
  // The web build also generates the texts that the console's types come from.
  check: () => ({ steps: [...packageSteps, webStep], program: ['scripts/check.ts'] }),
  format: () => ({
    steps: packageSteps,
    program: [...prettier, '--write', '.', '!test/fixtures/**', '!web/i18n/project.inlang/**'],
  }),
  'reset-password': () => ({ steps: [...packageSteps, sqliteStep], program: ['scripts/reset-password.ts'] }),
  verify: () => ({ steps: packageSteps, program: ['scripts/verify.ts'] }),
  'footage-check': () => ({ steps: [...packageSteps, sqliteStep], program: ['scripts/footage-check.ts'] }),
  'audit-verify': () => ({ steps: [...packageSteps, sqliteStep], program: ['scripts/audit-verify.ts'] }),
};

export const commandNames = Object.keys(commands);

/**
 * The command of that name; undefined if there is none.
 * @param {string | undefined} name
 * @param {string[]} args
 * @returns {Command | undefined} with absolute paths where a program is a file of the project
 */
export function findCommand(name, args) {
  if (name === undefined || !Object.hasOwn(commands, name)) return undefined;
  const { steps, program } = commands[/** @type {keyof typeof commands} */ (name)](args);
  const [file, ...rest] = program;
  return { steps, program: file === undefined ? [] : [join(projectRoot, file), ...rest] };
}

/**
 * `npm test -- --project unit` needs neither a browser nor a media worker: only what its projects use is set up.
 * @param {string[]} args
 */
function testCommand(args) {
  const program = ['node_modules/vitest/vitest.mjs', 'run', '-c', 'scripts/config/vitest.ts'];
  const projects = chosenProjects(args);
  /** @type {Record<string, Step[]>} */
  const needs = {
    unit: [debianStep(['runtime']), ...packageSteps, sqliteStep],
    api: [debianStep(['runtime', 'browser', 'postgres', 'tests']), ...packageSteps, sqliteStep],
    simulators: [
      debianStep(['runtime', 'simulators', 's3', 'tests']),
      ...packageSteps,
      sqliteStep,
      ...workerSteps,
    ],
  };
  const [only] = projects;
  const steps = projects.length === 1 && only !== undefined ? needs[only] : undefined;
  return { steps: steps ?? everythingForTests, program };
}

/** @param {string[]} args */
function chosenProjects(args) {
  return args.flatMap((arg, index) => {
    if (arg.startsWith('--project=')) return [arg.slice('--project='.length)];
    return arg === '--project' ? [args[index + 1] ?? ''] : [];
  });
}
