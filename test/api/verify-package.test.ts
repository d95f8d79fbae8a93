import { execFile } from 'node:child_process';
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { openAsBlob } from 'node:fs';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { layOutZip } from '#api/cases/zip-layout.ts';
import type { Manifest } from '#api/cases/schema.ts';
import type { ChannelStream } from '#api/footage/types.ts';
import { verifyPackage, type Verdict } from '../../web/features/verify/verify-package.ts';
import { makeTestApp, type TestApp } from '../factories/app.ts';
import { caseCalls } from '../factories/cases.ts';
import { addChannel, makeChannelSource, writeRecording } from '../factories/footage.ts';

const run = promisify(execFile);
const startAt = Date.parse('2026-11-24T08:00:00.000Z');
const iso = (offsetMs: number) => new Date(startAt + offsetMs).toISOString();
const utf8 = { ...process.env, LC_ALL: 'C.UTF-8' };

let app: TestApp;
let bytes: Buffer;
let known: string;
let manifest: Manifest;
let clipPath: string;
let folders = 0;

beforeAll(async () => {
  app = await makeTestApp({
    channels: makeChannelSource(new Map<string, ChannelStream | null>([['c1', null]])),
    now: () => startAt + 3_600_000 + (performance.now() | 0),
    printPdf: async (html) => Buffer.from(html),
  });
  await addChannel(app.db, { id: 'c1', name: '急诊大厅 01' });
  const recordingsDir = join(app.dataDir, 'recordings');
  await writeRecording({ recordingsDir, channelId: 'c1', startAt, seconds: 10 });
  await app.start();
  const calls = caseCalls(app);
  const { id } = await calls.create();
  for (const fromMs of [0, 4_000])
    await calls.addClip(id, {
      channelId: 'c1',
      fromAt: iso(fromMs),
      toAt: iso(fromMs + 3_000),
      mode: 'copy',
    });
  await calls.untilClipsEnd(id);
  await calls.pack(id);
  bytes = (await calls.download(id)).rawPayload;
  known = (await app.as('viewer', { method: 'GET', url: '/api/evidence-key' })).json().fingerprint;
  await writeFile(join(app.dataDir, 'package.zip'), bytes);
  const { stdout } = await run('unzip', ['-p', join(app.dataDir, 'package.zip'), 'manifest.json']);
  manifest = JSON.parse(stdout) as Manifest;
  clipPath = manifest.files[0]?.path ?? '';
});
afterAll(() => app.destroy());

const verify = (data: Uint8Array, knownFingerprints = [known]): Promise<Verdict> =>
  verifyPackage(new Blob([data as BlobPart]), { knownFingerprints });
/** Where the bytes of a file begin in the package: behind its local header, which ends with its name. */
function startOf(path: string): number {
  for (let place = bytes.indexOf(path); place >= 0; place = bytes.indexOf(path, place + 1))
    if (bytes.readUInt32LE(Math.max(0, place - 30)) === 0x0403_4b50) return place + Buffer.byteLength(path);
  throw new Error(`no ${path}`);
}

/** The package unpacked, changed, and packed again by another program, without compression. */
async function repack(change: (dir: string) => Promise<void>, flags = ['-0']): Promise<Buffer> {
  const dir = join(app.dataDir, `unpacked-${(folders += 1)}`);
  const file = `${dir}.zip`;
  await run('unzip', ['-q', join(app.dataDir, 'package.zip'), '-d', dir], { env: utf8 });
  await change(dir);
  await run('zip', ['-q', '-X', '-D', '-r', ...flags, file, '.'], { cwd: dir, env: utf8 });
  await rm(dir, { recursive: true });
  return readFile(file);
}
const problemsOf = ({ outcome, findings }: Verdict) => [
  outcome,
  ...findings.map(({ path, problem }) => `${problem}: ${path}`),
];

it('an untouched package is intact, also packed again by another program', async () => {
  expect(await verify(bytes)).toMatchObject({
    outcome: 'intact',
    findings: [],
    fingerprint: known,
    filesChecked: 5,
    manifest: { case: { title: '电梯厅物品失窃' } },
  });
  expect(problemsOf(await verify(await repack(async () => undefined)))).toEqual(['intact']);
});

describe('tampering is found and named', () => {
  it('one byte of a clip, wherever in it', async () => {
    const start = startOf(clipPath);
    const sizeBytes = manifest.files[0]?.sizeBytes ?? 0;
    for (const offset of [0, 1_000, sizeBytes - 1]) {
      const changed = Buffer.from(bytes);
      changed[start + offset] = (changed[start + offset] ?? 0) ^ 1;
      expect(problemsOf(await verify(changed))).toEqual(['altered', `altered: ${clipPath}`]);
    }
    const cut = await repack(async (dir) => {
      const file = join(dir, clipPath);
      await writeFile(file, (await readFile(file)).subarray(0, -1));
    });
    expect(problemsOf(await verify(cut))).toEqual(['altered', `altered: ${clipPath}`]);
  });

  it('a changed manifest, alone and together with what it speaks of', async () => {
    const renamed = await repack(async (dir) => {
      const file = join(dir, 'manifest.json');
      await writeFile(file, (await readFile(file, 'utf8')).replace('李警官', '张警官'));
    });
    expect(problemsOf(await verify(renamed))).toEqual(['altered', 'manifest-changed: manifest.json']);
    const covered = await repack(async (dir) => {
      await writeFile(join(dir, 'cover.pdf'), 'another');
      const file = join(dir, 'manifest.json');
      const other = JSON.parse(await readFile(file, 'utf8')) as Manifest;
      for (const entry of other.files)
        if (entry.path === 'cover.pdf')
          Object.assign(entry, {
            sizeBytes: 7,
            sha256: createHash('sha256').update('another').digest('hex'),
          });
      await writeFile(file, JSON.stringify(other));
    });
    expect(problemsOf(await verify(covered))).toEqual(['altered', 'manifest-changed: manifest.json']);
  });

  it('a removed, an added and an exchanged file', async () => {
    const changed = await repack(async (dir) => {
      await rm(join(dir, clipPath));
      await rm(join(dir, 'manifest.sig'));
      await writeFile(join(dir, 'clips', 'extra.mp4'), 'x');
    });
    expect(problemsOf(await verify(changed)).sort()).toEqual(
      ['altered', `missing: ${clipPath}`, 'missing: manifest.sig', 'added: clips/extra.mp4'].sort(),
    );
    const [first, second] = manifest.files
      .filter((entry) => entry.kind === 'clip')
      .map((entry) => entry.path);
    const exchanged = await repack(async (dir) => {
      const [one, two] = [join(dir, first ?? ''), join(dir, second ?? '')];
      await cp(one, `${one}.x`);
      await cp(two, one);
      await cp(`${one}.x`, two);
      await rm(`${one}.x`);
    });
    expect(problemsOf(await verify(exchanged))).toEqual([
      'altered',
      `altered: ${first}`,
      `altered: ${second}`,
    ]);
  });

  it('a package signed anew with a foreign key, and one signed by nobody', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const forged = await repack(async (dir) => {
      const file = join(dir, 'manifest.json');
      const text = (await readFile(file, 'utf8')).replace('李警官', '张警官');
      await writeFile(file, text);
      const signature = {
        algorithm: 'Ed25519',
        publicKey: publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
        signature: sign(null, Buffer.from(text), privateKey).toString('base64'),
      };
      await writeFile(join(dir, 'manifest.sig'), JSON.stringify(signature));
    });
    const verdict = await verify(forged);
    expect(problemsOf(verdict)).toEqual(['unknown-key']);
    expect(verdict.fingerprint).not.toBe(known);
    expect(problemsOf(await verify(bytes, []))).toEqual(['unknown-key']);
    const unsigned = await repack((dir) => writeFile(join(dir, 'manifest.sig'), '{"algorithm":"none"}'));
    expect(problemsOf(await verify(unsigned))).toEqual(['altered', 'manifest-changed: manifest.json']);
  });
});

describe('hostile files', () => {
  it('a bomb is not unpacked', async () => {
    const bomb = await repack(
      async (dir) => writeFile(join(dir, clipPath), Buffer.alloc(50_000_000)),
      ['-9'],
    );
    const verdict = await verify(bomb);
    expect(verdict.outcome).toBe('not-a-package'); // its manifest is compressed too
    const dir = join(app.dataDir, 'bomb');
    const file = join(dir, 'package.zip');
    await mkdir(join(dir, 'clips'), { recursive: true });
    await writeFile(file, await repack(async () => undefined));
    await writeFile(join(dir, clipPath), Buffer.alloc(50_000_000));
    await run('zip', ['-q', '-X', '-9', file, clipPath], { cwd: dir, env: utf8 });
    const half = await readFile(file);
    expect(half.length).toBeLessThan(bytes.length + 1_000_000);
    expect(problemsOf(await verify(half))).toEqual(['altered', `repacked: ${clipPath}`]);
  });

  it('names that lead out of the folder, twice the same name, too many files', async () => {
    const build = (names: readonly string[]) => {
      const body = Buffer.from('x');
      const entries = names.map((name) => ({ name, sizeBytes: body.length, crc32: crc32(body) }));
      const { pieces } = layOutZip(entries, '2026-11-24 00:00:00');
      return Buffer.concat(pieces.map((piece) => ('bytes' in piece ? piece.bytes : body)));
    };
    for (const name of ['../evil', '/etc/passwd', 'C:/x', 'a\\b', 'clips/../../x', 'a\u202egpj.exe']) {
      const { outcome, findings } = await verify(build([name]));
      expect(outcome).toBe('not-a-package');
      if (findings.length > 0) expect(findings).toContainEqual({ path: name, problem: 'unsafe-name' });
    }
    const many = Array.from({ length: 3_000 }, (_, index) => `f${index}`);
    expect(problemsOf(await verify(build(many)))).toEqual(['not-a-package']);
    const twice = await verify(build(['manifest.json', 'MANIFEST.json']));
    expect(problemsOf(twice)).toEqual(['not-a-package', 'duplicate: MANIFEST.json']);
  });

  it('cut, padded and torn files never pass and never throw', async () => {
    const pad = Buffer.alloc(100, 'x');
    const variants = [
      Buffer.alloc(0),
      Buffer.from('PK'),
      bytes.subarray(0, -1),
      bytes.subarray(0, bytes.length >> 1),
      bytes.subarray(1),
      Buffer.concat([bytes, pad]),
      Buffer.concat([pad, bytes]),
    ];
    for (const variant of variants) expect((await verify(variant)).outcome).not.toBe('intact');
    let seed = 1;
    const random = (limit: number) => (seed = (seed * 48_271) % 2_147_483_647) % limit;
    const directory = bytes.lastIndexOf(Buffer.from('PK\x01\x02'));
    for (let round = 0; round < 60; round += 1) {
      const torn = Buffer.from(bytes);
      const place = round % 2 === 0 ? directory + random(bytes.length - directory) : random(bytes.length);
      torn[place] = (torn[place] ?? 0) ^ (1 << random(8));
      const { outcome } = await verify(torn);
      // Times and attributes in the directory are nobody's evidence; everything else is noticed.
      if (outcome === 'intact') expect(place).toBeGreaterThanOrEqual(bytes.indexOf('PK\x01\x02'));
    }
  });

  it('data hidden between the files of an otherwise whole package is reported', async () => {
    const directory = bytes.indexOf('PK\x01\x02');
    const secret = Buffer.from('nobody lists this');
    const end = Buffer.from(bytes.subarray(bytes.lastIndexOf('PK\x05\x06')));
    end.writeUInt32LE(directory + secret.length, 16);
    const hidden = Buffer.concat([
      bytes.subarray(0, directory),
      secret,
      bytes.subarray(directory, -end.length),
      end,
    ]);
    expect(problemsOf(await verify(hidden))).toEqual(['altered', 'hidden-data: ']);
  });
});

it('the command line says the same, by exit code and in words', async () => {
  const file = join(app.dataDir, 'package.zip');
  const changed = join(app.dataDir, 'changed.zip');
  const torn = Buffer.from(bytes);
  const place = startOf(clipPath) + 500;
  torn[place] = (torn[place] ?? 0) ^ 1;
  await writeFile(changed, torn);
  const call = async (dataDir: string, ...args: string[]) => {
    const options = { env: { ...process.env, DATA_DIR: dataDir } };
    const child = run(process.execPath, ['scripts/verify.ts', ...args], options);
    return child.then(
      ({ stdout }) => ({ code: 0, stdout }),
      (error: { code: number; stdout: string }) => ({ code: error.code, stdout: error.stdout }),
    );
  };
  const elsewhere = join(app.dataDir, 'elsewhere');
  expect(await call(app.dataDir, file)).toMatchObject({ code: 0, stdout: expect.stringContaining('INTACT') });
  expect(await call(elsewhere, file)).toMatchObject({
    code: 1,
    stdout: expect.stringContaining('UNKNOWN KEY'),
  });
  expect((await call(elsewhere, file, '--key', known.toUpperCase())).code).toBe(0);
  const bad = await call(app.dataDir, changed);
  expect(bad.code).toBe(1);
  expect(bad.stdout).toContain(`${clipPath}: ALTERED`);
  expect((await call(app.dataDir, join(app.dataDir, 'nowhere.zip'))).code).toBe(2);
  expect((await verifyPackage(await openAsBlob(file), { knownFingerprints: [known] })).outcome).toBe(
    'intact',
  );
});
