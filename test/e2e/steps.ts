import { afterEach, beforeEach } from 'vitest';

/** Makes the tests of a file one journey: after a step that failed the rest are skipped, for they would only fail for want of it. */
export function stopAtFirstFailure(): void {
  let hasFailed = false;
  beforeEach(({ skip }) => skip(hasFailed, 'an earlier step failed'));
  afterEach(({ task }) => {
    hasFailed ||= task.result?.state === 'fail';
  });
}
