import { expect, test } from 'vitest';
import { countChecks, countTests } from './count-results.mjs';

interface File {
  status: string;
  tests: string[];
}

function report(...files: File[]): string {
  const statuses = files.flatMap((file) => file.tests);
  const count = (status: string) => statuses.filter((one) => one === status).length;
  return JSON.stringify({
    numTotalTests: statuses.length,
    numPassedTests: count('passed'),
    numFailedTests: count('failed'),
    testResults: files.map(({ status, tests }) => ({
      status,
      assertionResults: tests.map((one) => ({ status: one })),
    })),
  });
}

test('skipped tests count as neither passed nor failed', () => {
  const output = report({ status: 'passed', tests: ['passed', 'skipped', 'todo'] });
  expect(countTests({ exitCode: 0, output })).toEqual({ passed: 1, failed: 0, skipped: 2 });
});

test('a failed test is counted once, and a file that does not load is a failure of its own', () => {
  const output = report({ status: 'failed', tests: ['passed', 'failed'] }, { status: 'failed', tests: [] });
  expect(countTests({ exitCode: 1, output })).toEqual({ passed: 1, failed: 2, skipped: 0 });
});

test('no test, only skipped tests, no report, and a failure without a failed test are all failures', () => {
  expect(countTests({ exitCode: 0, output: report() }).failed).toBe(1);
  expect(countTests({ exitCode: 0, output: report({ status: 'passed', tests: ['skipped'] }) }).failed).toBe(
    1,
  );
  expect(countTests({ exitCode: 0, output: '' }).failed).toBe(1);
  expect(countTests({ exitCode: 1, output: report({ status: 'passed', tests: ['passed'] }) }).failed).toBe(1);
});

test('checks are counted from their last line; without it, or with an exit code that it does not explain, they failed', () => {
  expect(countChecks({ exitCode: 0, output: 'x\nchecks: 3 passed, 0 failed\n' })).toMatchObject({
    passed: 3,
    failed: 0,
  });
  expect(countChecks({ exitCode: 1, output: 'checks: 2 passed, 1 failed\n' })).toMatchObject({
    passed: 2,
    failed: 1,
  });
  expect(countChecks({ exitCode: 0, output: 'nothing' }).failed).toBe(1);
  expect(countChecks({ exitCode: 1, output: 'checks: 3 passed, 0 failed' }).failed).toBe(1);
});
