import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { patchSource } from './worker.mjs';

let source: string;
const file = 'src/RTC/DtlsTransport.cpp';

beforeEach(() => {
  source = mkdtempSync(join(tmpdir(), 'weian-worker-'));
  mkdirSync(join(source, 'src/RTC'), { recursive: true });
});

afterEach(() => {
  rmSync(source, { recursive: true, force: true });
});

test('the line is changed where it stands, and nothing else', () => {
  writeFileSync(join(source, file), 'a;\nx = (operationType == BIO_CB_RETURN) ? r : 1;\nb;\n');
  patchSource(source);
  expect(readFileSync(join(source, file), 'utf8')).toBe(
    'a;\nx = (operationType & BIO_CB_RETURN) ? r : 1;\nb;\n',
  );
});

test.each(['nothing of the kind', '(operationType == BIO_CB_RETURN) (operationType == BIO_CB_RETURN)'])(
  'a source with the line missing or twice is refused: %s',
  (text) => {
    writeFileSync(join(source, file), text);
    expect(() => patchSource(source)).toThrow(/times where once was expected/);
    expect(readFileSync(join(source, file), 'utf8')).toBe(text);
  },
);
