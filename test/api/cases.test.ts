import { createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Case, CaseHistory, Package } from '#api/cases/schema.ts';
import type { Static } from 'typebox';
import type { ChannelStream } from '#api/footage/types.ts';
import type { EvidenceSettings } from '#api/settings/schema.ts';
import { printPdf } from '#media/process/print-pdf.ts';
import { makeTestApp, type TestApp } from '../factories/app.ts';
import { caseCalls, policeCase } from '../factories/cases.ts';
import { addChannel, decodeFrames, makeChannelSource, writeRecording } from '../factories/footage.ts';

const run = promisify(execFile);
const startAt = Date.parse('2026-11-24T15:59:30.000Z'); // 23:59:30 in Shanghai
const iso = (offsetMs: number) => new Date(startAt + offsetMs).toISOString();
const noLimits = { longestMinutes: null, mostPerDay: null };
const clip = (fromMs: number, toMs: number, more: object = {}) => ({
  channelId: 'c1',
  fromAt: iso(fromMs),
  toAt: iso(toMs),
  mode: 'copy',
  ...more,
});

let app: TestApp;
let calls: ReturnType<typeof caseCalls>;

async function setRules(rules: Partial<Static<typeof EvidenceSettings>>): Promise<void> {
  const evidence = {
    isTwoPersonRuleOn: false,
    limits: { security: noLimits, admin: noLimits },
    ...rules,
  };
  const response = await app.as('admin', { method: 'PATCH', url: '/api/settings', payload: { evidence } });
  expect(response.statusCode).toBe(200);
}

beforeAll(async () => {
  app = await makeTestApp({
    channels: makeChannelSource(new Map<string, ChannelStream | null>([['c1', null]])),
    now: () => startAt + 3_600_000 + (performance.now() | 0),
    // One test prints a real cover sheet; the others need only its bytes.
    printPdf: (html) => (html.includes('打印') ? printPdf(html) : Promise.resolve(Buffer.from(html))),
  });
  await addChannel(app.db, { id: 'c1', name: '急诊</script>大厅 01' });
  const recordingsDir = join(app.dataDir, 'recordings');
  await writeRecording({ recordingsDir, channelId: 'c1', startAt, seconds: 20 });
  await writeRecording({ recordingsDir, channelId: 'c1', startAt: startAt + 30_000, seconds: 10 });
  calls = caseCalls(app);
  await app.start();
});
afterAll(() => app.destroy());

it('a case is numbered by the year of the site or as given, changed with its version, and closed', async () => {
  const first = await calls.create();
  expect(first).toMatchObject({ ...policeCase, state: 'open', createdByName: 'security', clips: [] });
  expect(first.number).toBe('2026-0001'); // an hour after midnight in Shanghai, still November
  expect((await calls.create()).number).toBe('2026-0002');
  expect((await calls.create({ number: '成公（刑）字〔2026〕7' })).number).toBe('成公（刑）字〔2026〕7');
  const again = await calls.send('security', 'POST', '', { ...policeCase, number: '2026-0002' });
  expect(again.json().code).toBe('case.number-taken');
  expect((await calls.send('security', 'POST', '', { ...policeCase, number: '../x' })).statusCode).toBe(400);

  const changed = await calls.send('security', 'PATCH', `/${first.id}`, { version: 1, authoriser: '赵院长' });
  expect(changed.json()).toMatchObject({ authoriser: '赵院长', version: 2 });
  const stale = await calls.send('security', 'PATCH', `/${first.id}`, { version: 1, authoriser: '钱' });
  expect(stale.json().code).toBe('conflict.version');
  await calls.send('security', 'PATCH', `/${first.id}`, { version: 2, state: 'closed' });
  expect((await calls.addClip(first.id, clip(0, 5_000))).json().code).toBe('case.closed');
  for (const role of ['engineer', 'desk', 'viewer'] as const)
    expect((await calls.send(role, 'GET', `/${first.id}`)).statusCode).toBe(403);
  expect((await calls.send('auditor', 'GET', `/${first.id}`)).statusCode).toBe(200);
  expect((await calls.send('auditor', 'PATCH', `/${first.id}`, { version: 3 })).statusCode).toBe(403);
});

it('copies, transcodes and stills become a ZIP that other programs read, whole and resumed', async () => {
  const { id, number } = await calls.create({ title: '打印' });
  for (const added of [
    clip(3_500, 8_000),
    clip(15_250, 33_050, { mode: 'transcode', hidden: [{ x: 0.1, y: 0.1, width: 0.3, height: 0.3 }] }),
    clip(7_040, 0, { mode: 'still' }),
  ])
    expect((await calls.addClip(id, added)).statusCode).toBe(200);
  expect((await calls.send('security', 'POST', `/${id}/packages`)).json().code).toBe('package.empty');
  const { clips } = await calls.untilClipsEnd(id);
  expect(clips.map((each) => [each.mode, each.state, each.error])).toEqual([
    ['copy', 'ready', null],
    ['transcode', 'ready', null],
    ['still', 'ready', null],
  ]);
  const [copy, exact, still] = clips;
  expect(copy?.result).toMatchObject({ leadMs: 500, frameCount: 50 });
  // Pictures at 15.3 … 19.9 and 30.0 … 33.0, ten a second.
  expect(exact?.result).toMatchObject({ leadMs: 0, tailMs: 0, frameCount: 47 + 31 });
  expect((await decodeFrames(join(app.dataDir, 'exports', exact?.fileName ?? ''))).count).toBe(78);
  expect(still?.result?.covered).toEqual([{ fromAt: iso(7_000), toAt: iso(7_040) }]);

  const made = await calls.pack(id);
  expect(made).toMatchObject({ state: 'ready', error: null, clipCount: 3, isReleased: true });
  const whole = await calls.download(id);
  expect(whole.statusCode).toBe(200);
  const bytes = whole.rawPayload;
  expect(whole.headers['content-length']).toBe(String(bytes.length));
  expect(made.sizeBytes).toBe(bytes.length);
  expect(made.sha256).toBe(createHash('sha256').update(bytes).digest('hex'));
  const tag = String(whole.headers.etag);
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 50_001) {
    const range = `bytes=${at}-${Math.min(at + 50_000, bytes.length - 1)}`;
    const part = await calls.download(id, 'security', { range, 'if-range': tag });
    expect(part.statusCode).toBe(206);
    pieces.push(part.rawPayload);
  }
  expect(Buffer.concat(pieces).equals(bytes)).toBe(true);
  expect((await calls.download(id)).rawPayload.equals(bytes)).toBe(true);

  const file = join(app.dataDir, 'package.zip');
  await writeFile(file, bytes);
  expect((await run('unzip', ['-t', file])).stdout).toContain('No errors detected');
  const list = (await run('zipinfo', ['-1', file], { env: { ...process.env, LC_ALL: 'C.UTF-8' } })).stdout;
  expect(list.trim().split('\n').sort()).toEqual(
    [
      'README.txt',
      'cover.pdf',
      'index.html',
      'manifest.json',
      'manifest.sig',
      `clips/${copy?.fileName}`,
      `clips/${exact?.fileName}`,
      `stills/${still?.fileName}`,
    ].sort(),
  );
  const unpacked = join(app.dataDir, 'unpacked');
  await run('unzip', ['-q', file, '-d', unpacked], { env: { ...process.env, LC_ALL: 'C.UTF-8' } });
  expect((await readFile(join(unpacked, 'cover.pdf'))).subarray(0, 5).toString()).toBe('%PDF-');
  const page = await readFile(join(unpacked, 'index.html'), 'utf8');
  expect(page.match(/<\/script>/g)).toHaveLength(2); // the camera's name ends no script
  const manifest = JSON.parse(await readFile(join(unpacked, 'manifest.json'), 'utf8'));
  expect(manifest.case.number).toBe(number);
  expect(manifest.files.find((each: { path: string }) => each.path.startsWith('clips/')).clip).toMatchObject({
    asked: { fromAt: iso(3_500), toAt: iso(8_000) },
    leadMs: 500,
    camera: { name: '急诊</script>大厅 01', model: null },
    clock: { basis: 'server' },
    sources: [{ source: 'own', appliedOffsetMs: 0 }],
    ffmpeg: { version: expect.stringMatching(/^\d/) },
    requestedBy: 'security',
  });
  expect(JSON.stringify(manifest)).not.toContain(app.dataDir);
  for (const { path, sha256 } of manifest.files as { path: string; sha256: string }[])
    expect(
      createHash('sha256')
        .update(await readFile(join(unpacked, path)))
        .digest('hex'),
    ).toBe(sha256);

  // What a package holds stays.
  const exportId = copy?.id ?? '';
  expect((await app.as('security', { method: 'DELETE', url: `/api/exports/${exportId}` })).json().code).toBe(
    'export.in-case',
  );
  expect((await calls.send('security', 'DELETE', `/${id}/clips/${exportId}`)).json().code).toBe(
    'case.clip-packaged',
  );
}, 120_000);

it('with the two-person rule only a second person lets a package go, and no single clip leaves before', async () => {
  await setRules({ isTwoPersonRuleOn: true });
  const { id } = await calls.create();
  await calls.addClip(id, clip(0, 3_000));
  const exportId = (await calls.untilClipsEnd(id)).clips[0]?.id ?? '';
  const single = () => app.as('security', { method: 'GET', url: `/api/exports/${exportId}/file` });
  const made = await calls.pack(id);
  const approve = (role: 'security' | 'admin' | 'auditor') =>
    calls.send(role, 'POST', `/${id}/packages/${made.id}/approval`);
  const handover = {
    packageId: made.id,
    receivedBy: '李警官',
    organisation: '某某派出所',
    idShown: '警官证 012345',
    medium: 'U 盘',
  };
  expect(made).toMatchObject({ state: 'ready', isReleased: false });
  for (const refused of [
    await calls.download(id),
    await calls.download(id, 'admin'),
    await single(),
    await calls.send('security', 'POST', `/${id}/handovers`, handover),
  ])
    expect(refused.json().code).toBe('package.needs-approval');
  expect((await approve('security')).json().code).toBe('package.same-person');
  expect((await approve('auditor')).statusCode).toBe(403);
  expect((await approve('admin')).json().packages[0]).toMatchObject({
    isReleased: true,
    approvedByName: 'admin',
  });
  expect((await approve('admin')).json().code).toBe('conflict');
  expect((await calls.download(id)).statusCode).toBe(200);
  expect((await single()).statusCode).toBe(200);
  const given = (await calls.send('security', 'POST', `/${id}/handovers`, handover)).json() as Case;
  expect(given.handovers).toMatchObject([{ ...handover, packageSha256: made.sha256, packageNumber: 1 }]);

  const { entries } = (await calls.send('auditor', 'GET', `/${id}/history`)).json() as Static<
    typeof CaseHistory
  >;
  expect(entries.map((entry) => `${entry.actorName} ${entry.action} ${entry.outcome}`)).toEqual([
    'security case.created ok',
    'security export.requested ok',
    'security case.clip-added ok',
    'footage export.ready ok',
    'security package.requested ok',
    'cases package.ready ok',
    'security package.approved denied',
    'admin package.approved ok',
    'security package.downloaded ok',
    'security export.downloaded ok',
    'security case.handed-over ok',
  ]);
  await setRules({});
});

it('a role may ask for clips of a set length and so many a day, deleted ones counted', async () => {
  const before = (await app.db('audit_entries').where({ action: 'export.requested' })).length;
  await setRules({
    limits: { security: { longestMinutes: 1, mostPerDay: before + 1 }, admin: noLimits },
  });
  const ask = (role: 'security' | 'admin', toMs: number) =>
    app.as(role, {
      method: 'POST',
      url: '/api/exports',
      payload: { channelId: 'c1', fromAt: iso(0), toAt: iso(toMs), reason: '取证' },
    });
  expect((await ask('security', 61_000)).json()).toMatchObject({
    code: 'export.limit',
    details: { limit: 'length', longestMinutes: 1 },
  });
  expect((await ask('admin', 61_000)).statusCode).toBe(201);
  const { id } = (await ask('security', 2_000)).json();
  await app.as('security', { method: 'DELETE', url: `/api/exports/${id}` });
  expect((await ask('security', 2_000)).json()).toMatchObject({
    code: 'export.limit',
    details: { limit: 'count' },
  });
  expect((await ask('admin', 2_000)).statusCode).toBe(201);
  await setRules({});
});

it('no package vouches for a clip that changed on disk since it was made', async () => {
  const { id } = await calls.create();
  await calls.addClip(id, clip(0, 3_000));
  const [exported] = (await calls.untilClipsEnd(id)).clips;
  const path = join(app.dataDir, 'exports', exported?.fileName ?? '');
  const bytes = await readFile(path);
  bytes[bytes.length - 100] = (bytes[bytes.length - 100] ?? 0) ^ 1;
  await writeFile(path, bytes);
  const made: Package = await calls.pack(id);
  expect(made.state).toBe('failed');
  expect(made.error).toContain(exported?.fileName);
  expect((await calls.download(id)).json().code).toBe('package.not-ready');
  expect(await readdir(join(app.dataDir, 'exports', 'packages'))).not.toContain(made.id);
});

it('the signing key is made once, closed to others, and published by its fingerprint', async () => {
  const file = join(app.dataDir, 'keys', 'evidence-signing.key');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  const key = (await app.as('viewer', { method: 'GET', url: '/api/evidence-key' })).json();
  const spki = Buffer.from(key.publicKey, 'base64');
  expect(key.fingerprint).toBe(createHash('sha256').update(spki).digest('hex'));
  const again = await makeTestApp({}, { DATA_DIR: app.dataDir });
  expect((await again.as('viewer', { method: 'GET', url: '/api/evidence-key' })).json()).toEqual(key);
  await again.close();
});
