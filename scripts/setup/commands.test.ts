import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { commandNames, findCommand } from './commands.mjs';

function stepNames(command: string, ...args: string[]): string[] | undefined {
  return findCommand(command, args)?.steps.map((step) => step.name);
}

// exec: without it a signal to npm ends only the shell between, and the server goes on alone.
test('every npm script names a command, and every command has an npm script', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
  const named = Object.values(scripts).map((line) => /^exec node scripts\/run\.mjs (\S+)$/.exec(line)?.[1]);
  expect(named.toSorted()).toEqual(commandNames.toSorted());
});

test('an unknown command is none, not even one that every object has', () => {
  expect(findCommand('nonsense', [])).toBeUndefined();
  expect(findCommand('constructor', [])).toBeUndefined();
  expect(findCommand(undefined, [])).toBeUndefined();
});

test('a run of one kind of tests sets up only what that kind uses; anything else sets up everything', () => {
  expect(stepNames('test', '--project', 'unit')).not.toContain('mediasoup worker');
  expect(stepNames('test', '--project=simulators')).toContain('worker self-test');
  expect(stepNames('test', '--project=simulators')).not.toContain('web console');
  expect(stepNames('test')).toContain('web console');
  expect(stepNames('test', '--project', 'unit', '--project', 'e2e')).toEqual(stepNames('test'));
  expect(stepNames('test', '--project', '!unit')).toEqual(stepNames('test'));
});
