import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

// Every check of the sources that needs no running program. All are run even if one fails, so that one call tells everything.

const root = resolve(import.meta.dirname, '..');

// Recorded as devices sent it; the text compiler's own notes.
const notOurs = ['!test/fixtures/**', '!web/i18n/project.inlang/**'];

interface Check {
  name: string;
  /** A package's program and its arguments. */
  command: [string, ...string[]];
}

const checks: Check[] = [
  {
    name: 'format (prettier)',
    command: [
      'prettier/bin/prettier.cjs',
      '--config',
      'scripts/config/prettier.json',
      '--check',
      '.',
      ...notOurs,
    ],
  },
  {
    name: 'lint (oxlint)',
    command: ['oxlint/bin/oxlint', '-c', 'scripts/config/oxlint.json', '--deny-warnings', '.'],
  },
  { name: 'types (tsc)', command: ['typescript/bin/tsc', '--noEmit', '-p', '.'] },
];
if (existsSync(resolve(root, 'web'))) {
  const settings = ['--tsconfig', 'scripts/config/tsconfig.web.json', '--fail-on-warnings'];
  checks.push({
    name: 'types of the console (svelte-check)',
    command: ['svelte-check/bin/svelte-check', ...settings],
  });
}

let failedCount = 0;
for (const { name, command } of checks) {
  console.log(`\n== ${name} ==`);
  const [program, ...args] = command;
  const result = spawnSync(process.execPath, [resolve(root, 'node_modules', program), ...args], {
    cwd: root,
    stdio: 'inherit',
  });
  if (result.error) throw result.error;
  if (result.status !== 0) {
    failedCount += 1;
    console.log(`FAILED: ${name}`);
  }
}

console.log(`\nchecks: ${checks.length - failedCount} passed, ${failedCount} failed`);
process.exitCode = failedCount === 0 ? 0 : 1;
