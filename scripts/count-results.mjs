// Used by .ci/run: adds up what vitest's JSON reporter and the checks really counted, and prints "N passed, N failed" last.
// Plain JavaScript without packages, so that it can still count when the set-up itself has failed.
import { existsSync, readFileSync } from 'node:fs';

/**
 * @typedef {object} Outcome of one command
 * @property {number} exitCode
 * @property {string} output vitest's JSON report, or what the checks printed; empty if it never got that far
 *
 * @typedef {{ passed: number, failed: number, skipped: number }} Counts
 */

/**
 * What vitest counted. Skipped tests count as neither. A test file that cannot even be loaded, and a run that fails with no test
 * at fault (no test at all, an error outside every test, a set-up that broke), count as one failure each.
 * @param {Outcome} outcome
 * @returns {Counts}
 */
export function countTests({ exitCode, output }) {
  if (output === '') return { passed: 0, failed: 1, skipped: 0 };
  /** @type {{ numPassedTests: number, numFailedTests: number, numTotalTests: number, testResults: { status: string, assertionResults: { status: string }[] }[] }} */
  const report = JSON.parse(output);
  const passed = report.numPassedTests;
  const brokenFiles = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  );
  const failed = report.numFailedTests + brokenFiles.length;
  const skipped = report.numTotalTests - passed - report.numFailedTests;
  const isUnexplained = failed === 0 && (exitCode !== 0 || passed === 0);
  return { passed, failed: isUnexplained ? 1 : failed, skipped };
}

/**
 * What scripts/check.ts counted on its last line.
 * @param {Outcome} outcome
 * @returns {Counts}
 */
export function countChecks({ exitCode, output }) {
  const [, passed, failed] = [...output.matchAll(/^checks: (\d+) passed, (\d+) failed$/gm)].at(-1) ?? [];
  if (passed === undefined || failed === undefined) return { passed: 0, failed: 1, skipped: 0 };
  const isUnexplained = failed === '0' && (exitCode !== 0 || passed === '0');
  return { passed: Number(passed), failed: isUnexplained ? 1 : Number(failed), skipped: 0 };
}

if (import.meta.filename === process.argv[1]) {
  const [testExitCode, testReport, checkExitCode, checkLog] = process.argv.slice(2);
  const tests = countTests({ exitCode: Number(testExitCode), output: readIfThere(testReport) });
  const checks = countChecks({ exitCode: Number(checkExitCode), output: readIfThere(checkLog) });
  const failed = tests.failed + checks.failed;
  if (tests.skipped > 0) console.log(`${tests.skipped} tests were skipped, and count as neither.`);
  console.log(`${tests.passed + checks.passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}

/** @param {string | undefined} path */
function readIfThere(path) {
  return path !== undefined && existsSync(path) ? readFileSync(path, 'utf8') : '';
}
