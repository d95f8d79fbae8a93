import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Knex } from 'knex';
import type { AuditTrail } from '#api/auth/audit-trail.ts';
import { toWire, type Now } from '#api/clock.ts';
import { AppError } from '#api/errors.ts';
import type { EventBus } from '#api/events/bus.ts';
import type { ClipSource, ExportRecord } from '#api/footage/types.ts';
import type { JobContext, JobEnd, JobHandlers } from '#api/jobs/service.ts';
import type { Job } from '#api/jobs/store.ts';
import type { Logger } from '#api/log.ts';
import { siteClock } from '#api/site-time.ts';
import { coverSheet } from './cover-sheet.ts';
import { describeClip, manifestBytes, type CameraIdentity } from './manifest.ts';
import type { PackageEntry, PackageRecord, PackageStore } from './package-store.ts';
import { playerPage, readmeText } from './player.ts';
import { manifestFormat, type Manifest, type ManifestSignature } from './schema.ts';
import type { SigningKey } from './signing-key.ts';
import type { CaseRecord, CaseStore } from './store.ts';
import { layOutZip } from './zip-layout.ts';
import { readZip } from './zip-stream.ts';

export const packageJobKind = 'cases.package';
/** What the job carries; everything else is in the package's row. */
export interface PackageJob {
  readonly packageId: string;
}

export interface PackageRunner {
  readonly handlers: JobHandlers;
  /** Sets the package's row once its job is over for good. Ignores other kinds. Safe to repeat. */
  onJobEnd(end: JobEnd): Promise<void>;
  /** Once, before jobs run: ends rows whose job is over, and deletes folders that no package owns. */
  tidy(findJob: (id: string) => Promise<Job | undefined>): Promise<void>;
  /** Where a file of a package lies. */
  pathOf(packageId: string, entry: Pick<PackageEntry, 'from' | 'file'>): string;
}

const progressEventMs = 500;
type FileOfManifest = Manifest['files'][number];

/** Makes packages: writes the pages around the clips, signs, and reads everything once as it will be handed out. */
export function createPackageRunner(options: {
  db: Knex;
  cases: CaseStore;
  packages: PackageStore;
  clips: ClipSource;
  key: SigningKey;
  /** What the register knows of the camera behind a channel. */
  cameraOf: (channelId: string) => CameraIdentity;
  printPdf: (html: string) => Promise<Buffer>;
  exportsDir: string;
  siteName: () => string;
  siteTimeZone: string;
  software: string;
  bus: EventBus;
  audit: AuditTrail;
  now: Now;
  log: Logger;
}): PackageRunner {
  const { db, cases, packages, clips, key, bus, audit, now, log } = options;
  const packagesDir = join(options.exportsDir, 'packages');
  const pathOf: PackageRunner['pathOf'] = (packageId, { from, file }) =>
    from === 'exports' ? clips.pathOf(file) : join(packagesDir, packageId, file);

  async function run({ payload, signal, report }: JobContext<PackageJob>): Promise<unknown> {
    const entry = await packages.find(payload.packageId);
    if (!entry || entry.state === 'ready' || entry.state === 'failed') return null;
    const [owner, found] = await Promise.all([cases.find(entry.caseId), clips.listByIds(entry.exportIds)]);
    if (!owner) return null;
    await packages.setRunning(entry.id);
    let toldAt = 0;
    const tell = (progress: number) => {
      report(progress);
      if (now() - toldAt < progressEventMs) return;
      toldAt = now();
      bus.emit({ name: 'case.changed', caseId: owner.id });
    };
    tell(0);
    const byId = new Map(found.map((each) => [each.id, each]));
    const exports = entry.exportIds.flatMap((id) => byId.get(id) ?? []);
    if (exports.length !== entry.exportIds.length)
      throw new AppError('not-found', { problem: 'a clip is gone' });
    const madeAt = now();
    const made = await writePackage({ owner, entry, exports, madeAt });
    const sums = await readThrough(entry.id, made.entries, madeAt, signal, tell);
    await keep(owner, entry, { ...made, ...sums, madeAt });
    return { packageId: entry.id };
  }

  /** Writes what stands beside the clips. @returns all files of the ZIP in order */
  async function writePackage(work: {
    owner: CaseRecord;
    entry: PackageRecord;
    exports: readonly ExportRecord[];
    madeAt: number;
  }): Promise<{ entries: PackageEntry[]; manifestSha256: string }> {
    const { entry, exports } = work;
    const dir = join(packagesDir, entry.id);
    await mkdir(dir, { recursive: true, mode: 0o750 });
    const clipEntries: PackageEntry[] = [];
    const listed: FileOfManifest[] = [];
    for (const each of exports) {
      const camera = options.cameraOf(each.channelId);
      for (const [part, file] of (each.result?.files ?? []).entries()) {
        const name = `${each.mode === 'still' ? 'stills' : 'clips'}/${file.fileName}`;
        const { sizeBytes, sha256 } = file;
        const sum = file.crc32 ?? (await crcOf(clips.pathOf(file.fileName)));
        clipEntries.push({ name, sizeBytes, crc32: sum, sha256, from: 'exports', file: file.fileName });
        const kind = each.mode === 'still' ? 'still' : 'clip';
        listed.push({ path: name, kind, sizeBytes, sha256, clip: describeClip(each, part, camera) });
      }
    }
    const pages: PackageEntry[] = [];
    const add = async (name: string, bytes: Buffer): Promise<PackageEntry> => {
      await writeFile(join(dir, name), bytes, { mode: 0o640 });
      const page: PackageEntry = { name, ...sumsOf(bytes), from: 'package', file: name };
      pages.push(page);
      return page;
    };
    const facts = { ...headOf(work), files: listed };
    for (const [kind, name, bytes] of [
      ['readme', 'README.txt', Buffer.from(`\uFEFF${readmeText(facts)}`, 'utf8')], // the mark lets old editors see UTF-8
      ['player', 'index.html', Buffer.from(playerPage(facts), 'utf8')],
      ['cover', 'cover.pdf', await options.printPdf(coverSheet(facts))],
    ] as const) {
      const { sizeBytes, sha256 } = await add(name, bytes);
      listed.push({ path: name, kind, sizeBytes, sha256 });
    }
    const manifest = manifestBytes({ format: manifestFormat, ...facts, files: listed });
    const signature: ManifestSignature = {
      algorithm: 'Ed25519',
      publicKey: key.publicKey,
      signature: key.sign(manifest).toString('base64'),
    };
    const { sha256 } = await add('manifest.json', manifest);
    await add('manifest.sig', Buffer.from(`${JSON.stringify(signature, null, 2)}\n`, 'utf8'));
    return { entries: [...pages, ...clipEntries], manifestSha256: sha256 };
  }

  function headOf({ owner, entry, madeAt }: { owner: CaseRecord; entry: PackageRecord; madeAt: number }) {
    const { number, title, requester, organisation, legalBasis, reason, authoriser } = owner;
    return {
      case: { number, title, requester, organisation, legalBasis, reason, authoriser },
      package: {
        id: entry.id,
        number: entry.number,
        madeAt: toWire(madeAt),
        requestedBy: entry.requestedByName,
        requestedAt: toWire(entry.requestedAt),
        site: options.siteName(),
        timeZone: options.siteTimeZone,
        software: options.software,
        keyFingerprint: key.fingerprint,
      },
    };
  }

  /**
   * Reads the ZIP once as it will be handed out: sums it up, and compares every file with what was noted when it was made, so that no package
   * ever vouches for a clip that has changed since.
   */
  async function readThrough(
    packageId: string,
    entries: readonly PackageEntry[],
    madeAt: number,
    signal: AbortSignal,
    tell: (progress: number) => void,
  ): Promise<{ sizeBytes: number; sha256: string }> {
    for (const entry of entries) {
      const { size } = await stat(pathOf(packageId, entry));
      if (size !== entry.sizeBytes) throw changed(entry);
    }
    const layout = layOutZip(entries, siteClock(madeAt, options.siteTimeZone));
    const whole = createHash('sha256');
    const pathAt = (index: number) => pathOf(packageId, entries[index] as PackageEntry);
    let done = 0;
    for (const piece of layout.pieces) {
      const own = createHash('sha256');
      const range = { start: piece.at, end: piece.at + piece.sizeBytes - 1 };
      if (piece.sizeBytes > 0)
        for await (const block of readZip(layout, pathAt, range) as AsyncIterable<Buffer>) {
          signal.throwIfAborted();
          whole.update(block);
          own.update(block);
          done += block.length;
          tell(done / layout.sizeBytes);
        }
      const entry = 'entry' in piece ? entries[piece.entry] : undefined;
      if (entry && own.digest('hex') !== entry.sha256) throw changed(entry);
    }
    return { sizeBytes: layout.sizeBytes, sha256: whole.digest('hex') };
  }

  async function keep(
    owner: CaseRecord,
    entry: PackageRecord,
    done: {
      entries: PackageEntry[];
      madeAt: number;
      sizeBytes: number;
      sha256: string;
      manifestSha256: string;
    },
  ): Promise<void> {
    await db.transaction(async (trx) => {
      if (!(await packages.setReady(entry.id, done, trx))) return;
      const { sizeBytes, sha256, manifestSha256 } = done;
      const files = done.entries.map((each) => ({ path: each.name, sha256: each.sha256 }));
      await audit.record(
        {
          action: 'package.ready',
          actor: { system: 'cases' },
          subjectType: 'package',
          subjectId: entry.id,
          detail: {
            caseId: owner.id,
            number: entry.number,
            sizeBytes,
            sha256,
            manifestSha256,
            keyFingerprint: key.fingerprint,
            files,
          },
        },
        trx,
      );
    });
    bus.emit({ name: 'case.changed', caseId: owner.id });
  }

  async function fail(packageId: string, error: string): Promise<void> {
    const entry = await packages.find(packageId);
    if (!entry) return;
    await db.transaction(async (trx) => {
      if (!(await packages.setFailed(packageId, error, trx))) return;
      await audit.record(
        {
          action: 'package.failed',
          actor: { system: 'cases' },
          subjectType: 'package',
          subjectId: packageId,
          outcome: 'failed',
          detail: { caseId: entry.caseId, number: entry.number, error },
        },
        trx,
      );
    });
    await rm(join(packagesDir, packageId), { recursive: true, force: true });
    bus.emit({ name: 'case.changed', caseId: entry.caseId });
  }

  return {
    handlers: { [packageJobKind]: run },
    pathOf,
    async onJobEnd({ job, state, error }) {
      if (job.kind !== packageJobKind || state === 'succeeded') return;
      await fail((job.payload as PackageJob).packageId, error ?? 'The job was cancelled.');
    },
    async tidy(findJob) {
      for (const entry of await packages.listUnfinished()) {
        const job = entry.jobId === null ? undefined : await findJob(entry.jobId);
        if (job?.state === 'queued' || job?.state === 'running') continue;
        await fail(entry.id, job?.error ?? 'The job of this package is gone.');
      }
      if (!existsSync(packagesDir)) return; // made with the first package
      const owned = await packages.listIds();
      for (const name of await readdir(packagesDir)) {
        if (owned.has(name)) continue;
        log.warn({ folder: name }, 'deleting a folder of packages that no package owns');
        await rm(join(packagesDir, name), { recursive: true, force: true });
      }
    },
  };
}

function changed(entry: PackageEntry): Error {
  return new Error(`${entry.file} is not what it was when it was exported; delete it and export it again`);
}

function sumsOf(bytes: Buffer): { sizeBytes: number; crc32: number; sha256: string } {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { sizeBytes: bytes.length, crc32: crc32(bytes), sha256 };
}

/** For exports from before their CRC was noted. */
async function crcOf(path: string): Promise<number> {
  let sum = 0;
  for await (const block of createReadStream(path) as AsyncIterable<Buffer>) sum = crc32(block, sum);
  return sum;
}
