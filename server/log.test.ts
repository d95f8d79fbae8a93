import { expect, it } from 'vitest';
import { createLogger } from './log.ts';

const secret = 'hunter2-secret';
function logged(fields: object, message = 'message'): { line: string; parsed: Record<string, unknown> } {
  const lines: string[] = [];
  createLogger({ logLevel: 'info' }, { write: (line) => lines.push(line) }).info(fields, message);
  expect(lines).toHaveLength(1);
  return { line: lines[0] ?? '', parsed: JSON.parse(lines[0] ?? '') as Record<string, unknown> };
}

it('writes one JSON line with level name, instant and component', () => {
  const lines: string[] = [];
  const log = createLogger({ logLevel: 'info' }, { write: (line) => lines.push(line) });
  log.child({ component: 'jobs' }).warn({ jobId: 'j' }, 'job failed');
  log.debug({}, 'not at this level');
  expect(lines.map((line) => JSON.parse(line) as object)).toEqual([
    {
      level: 'warn',
      at: expect.stringMatching(/^\d{4}-.*Z$/) as string,
      component: 'jobs',
      jobId: 'j',
      msg: 'job failed',
    },
  ]);
});

it.each([
  'password',
  'currentPassword',
  'newPassword',
  'passwordHash',
  'secret',
  'token',
  'cookie',
  'authorization',
  'csrfToken',
])('hides what stands under %s, on three levels', (key) => {
  for (const fields of [{ [key]: secret }, { a: { [key]: secret } }, { a: { b: { [key]: secret } } }]) {
    const { line } = logged(fields);
    expect(line).not.toContain(secret);
    expect(line).toContain('***');
  }
});

it('hides cookies and CSRF tokens of a request', () => {
  const headers = { cookie: `weian=${secret}`, 'x-csrf-token': secret, accept: '*/*' };
  const { line } = logged({ req: { headers } });
  expect(line).not.toContain(secret);
  expect(line).toContain('*/*');
});

it.each([
  `rtsp://admin:${secret}@10.0.0.1:554/stream`,
  `rtsp://admin:p@ss-${secret}@10.0.0.1/stream`,
  `rtsp://admin:"${secret}"@10.0.0.1/stream`,
  `rtsp://admin:back\\slash-${secret}@10.0.0.1/stream`,
  `HTTPS://${secret}@host/`,
])('hides the user part of %s, in fields, messages, lists and errors', (url) => {
  const cases = [
    logged({ url }),
    logged({}, `could not open ${url} now`),
    logged({ args: ['-i', url, '-c', 'copy'] }),
    logged({ err: new Error(`ffmpeg -i ${url}: 401`) }),
  ];
  for (const { line } of cases) {
    expect(line).not.toContain(secret);
    expect(line).toContain('://***@');
  }
});

it('leaves a URL without a user alone, and other fields of the line whole', () => {
  const fields = { origin: 'http://10.0.0.1', mail: 'duty@hospital.example', path: 'https://h/a@2x.png' };
  expect(logged(fields).parsed).toMatchObject(fields);
});
