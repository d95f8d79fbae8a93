import { ed25519 } from '@noble/curves/ed25519.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { BlobReader, ZipReader, type Entry, type FileEntry } from '@zip.js/zip.js';
import { Check } from 'typebox/value';
import { Manifest, ManifestSignature } from '#api/cases/schema.ts';

/** What is wrong with one file of a package. */
export interface Finding {
  path: string;
  /** `repacked`: compressed or encrypted, which no package of ours is; `unsafe-name`: would be unpacked elsewhere; `hidden-data`: bytes that no file owns. */
  problem:
    | 'altered'
    | 'missing'
    | 'added'
    | 'duplicate'
    | 'repacked'
    | 'unsafe-name'
    | 'hidden-data'
    | 'manifest-changed'
    | 'unreadable';
}

/** What came out. `unknown-key`: nothing was changed since it was signed, but not by a key that is known here. */
export interface Verdict {
  outcome: 'intact' | 'unknown-key' | 'altered' | 'not-a-package';
  findings: Finding[];
  /** Of the key in the package: SHA-256 (hex) of its SPKI bytes. */
  fingerprint: string | null;
  /** As the package has it; not to be believed where the outcome is `altered`. */
  manifest: Manifest | null;
  filesChecked: number;
}

/** A running SHA-256. */
export interface Sha256 {
  update(bytes: Uint8Array): unknown;
  /** In hex. */
  digest(): string;
}

export interface VerifyOptions {
  /** Fingerprints that are published: a package signed by another key is not believed. */
  knownFingerprints: readonly string[];
  /** From 0 to 1. */
  onProgress?: (done: number) => void;
  signal?: AbortSignal;
  /** Default: in JavaScript, which every browser has whatever its address. */
  createSha256?: () => Sha256;
}

const mostEntries = 2_002; // the files of a manifest, itself and its signature
const mostDirectoryBytes = 4_000_000;
const mostManifestBytes = 16_000_000;
const mostSignatureBytes = 4_000;
/** DER of an Ed25519 public key before its 32 bytes. Source: RFC 8410, 4. */
const spkiHead = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const [manifestName, signatureName] = ['manifest.json', 'manifest.sig'];

/**
 * Checks a package: that its manifest is signed, that the key is known, and that every file is there and is what the manifest says. Reads the file
 * in slices and sends it nowhere. Nothing is unpacked: files that are not stored as they are count as tampering, so that no bomb can go off.
 * Runs in browsers and in Node. @throws what `signal` was aborted with
 */
export async function verifyPackage(file: Blob, options: VerifyOptions): Promise<Verdict> {
  const entries = await readDirectory(file);
  if (!entries) return nothing;
  const findings: Finding[] = checkNames(entries);
  const byName = new Map(entries.map((entry) => [entry.filename, entry]));
  const [manifestBytes, signatureBytes] = [
    await readSmall(byName.get(manifestName), mostManifestBytes),
    await readSmall(byName.get(signatureName), mostSignatureBytes),
  ];
  const manifest = parse(manifestBytes, Manifest);
  if (!manifestBytes || !manifest) return { ...nothing, findings };
  const { fingerprint, isSigned } = checkSignature(manifestBytes, parse(signatureBytes, ManifestSignature));
  if (!byName.has(signatureName)) findings.push({ path: signatureName, problem: 'missing' });
  else if (!isSigned) findings.push({ path: manifestName, problem: 'manifest-changed' });

  const listed = new Map(manifest.files.map((entry) => [entry.path, entry]));
  for (const { filename } of entries)
    if (!listed.has(filename) && filename !== manifestName && filename !== signatureName)
      findings.push({ path: filename, problem: 'added' });
  const totalBytes = manifest.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let doneBytes = 0;
  const onBytes = (sizeBytes: number) => {
    options.signal?.throwIfAborted();
    doneBytes += sizeBytes;
    options.onProgress?.(Math.min(1, doneBytes / Math.max(1, totalBytes)));
  };
  for (const [path, expected] of listed) {
    const entry = byName.get(path);
    const problem = entry ? await compare(entry, expected, options, onBytes) : 'missing';
    if (problem) findings.push({ path, problem });
  }
  if (findings.length === 0 && file.size !== plainSize(entries))
    findings.push({ path: '', problem: 'hidden-data' });
  const isKnown = fingerprint !== null && options.knownFingerprints.includes(fingerprint);
  return {
    outcome: findings.length > 0 ? 'altered' : isKnown ? 'intact' : 'unknown-key',
    findings,
    fingerprint,
    manifest,
    filesChecked: manifest.files.length,
  };
}

const nothing: Verdict = {
  outcome: 'not-a-package',
  findings: [],
  fingerprint: null,
  manifest: null,
  filesChecked: 0,
};

/** The files of a ZIP; undefined where it is none, or none that we could have made. */
async function readDirectory(file: Blob): Promise<Entry[] | undefined> {
  const directoryBytes = await directorySize(file);
  if (directoryBytes === undefined || directoryBytes > mostDirectoryBytes) return undefined;
  const reader = new ZipReader(new BlobReader(file), {
    useWebWorkers: false,
    strictness: 'strict',
    checkOverlappingEntry: true,
  });
  const entries: Entry[] = [];
  try {
    for await (const entry of reader.getEntriesGenerator()) {
      if (entries.length >= mostEntries) return undefined;
      entries.push(entry);
    }
    return entries;
  } catch (error) {
    if (error instanceof Error) return undefined; // zip.js says with an Error what is wrong with the file
    throw error;
  } finally {
    await reader.close();
  }
}

/** Bytes of the central directory as the end record tells, before anything trusts it; ours has no comment behind it. */
async function directorySize(file: Blob): Promise<number | undefined> {
  const endBytes = 22;
  const longBytes = 76; // the Zip64 record and its locator
  const tail = new DataView(await file.slice(-(endBytes + longBytes)).arrayBuffer());
  const at = tail.byteLength - endBytes;
  if (at < 0 || tail.getUint32(at, true) !== 0x0605_4b50) return undefined;
  const size = tail.getUint32(at + 12, true);
  if (size !== 0xffff_ffff) return size;
  return at < longBytes ? undefined : Number(tail.getBigUint64(at - longBytes + 40, true));
}

function checkNames(entries: readonly Entry[]): Finding[] {
  const findings: Finding[] = [];
  const seen = new Set<string>();
  for (const { filename } of entries) {
    if (/^[/\\]|^[A-Za-z]:|\\|(^|\/)\.\.?(\/|$)|[\p{Cc}\u202a-\u202e\u2066-\u2069]/u.test(filename))
      findings.push({ path: filename, problem: 'unsafe-name' });
    // Some systems know no difference between capitals and small letters: the later file would take the place of the first.
    const key = filename.normalize('NFC').toLowerCase();
    if (seen.has(key)) findings.push({ path: filename, problem: 'duplicate' });
    seen.add(key);
  }
  return findings;
}

/** Size of a ZIP that holds these files and nothing else. Extra fields stand in both headers where a file needs Zip64. */
function plainSize(entries: readonly Entry[]): number {
  const long = 0xffff_ffff;
  let at = 0;
  let directory = 0;
  for (const entry of entries) {
    const name = entry.rawFilename.length;
    const isLong = entry.uncompressedSize >= long;
    const isFar = at >= long;
    directory += 46 + name + (isLong || isFar ? 4 + (isLong ? 16 : 0) + (isFar ? 8 : 0) : 0);
    at += 30 + name + (isLong ? 20 : 0) + entry.compressedSize;
  }
  const needsLongEnd = entries.length >= 0xffff || at >= long || directory >= long;
  return at + directory + (needsLongEnd ? 76 : 0) + 22;
}

const isFile = (entry: Entry): entry is FileEntry => !entry.directory;
const isPlain = (entry: Entry): boolean =>
  isFile(entry) &&
  entry.compressionMethod === 0 &&
  !entry.encrypted &&
  entry.compressedSize === entry.uncompressedSize;

async function readSmall(entry: Entry | undefined, mostBytes: number): Promise<Uint8Array | undefined> {
  if (!entry || !isFile(entry) || !isPlain(entry) || entry.uncompressedSize > mostBytes) return undefined;
  const chunks: Uint8Array[] = [];
  if (!(await readEntry(entry, (bytes) => void chunks.push(bytes.slice())))) return undefined;
  return new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer());
}

async function compare(
  entry: Entry,
  expected: Manifest['files'][number],
  options: VerifyOptions,
  onBytes: (sizeBytes: number) => void,
): Promise<Finding['problem'] | undefined> {
  if (!isFile(entry) || !isPlain(entry)) return 'repacked';
  if (entry.uncompressedSize !== expected.sizeBytes) return 'altered';
  const hash = (options.createSha256 ?? createSha256)();
  const isRead = await readEntry(entry, (bytes) => {
    hash.update(bytes);
    onBytes(bytes.length);
  });
  if (!isRead) return 'unreadable';
  return hash.digest() === expected.sha256 ? undefined : 'altered';
}

/** Hands on a file's bytes as they are stored. @returns false where the ZIP contradicts itself there */
async function readEntry(entry: FileEntry, onChunk: (bytes: Uint8Array) => void): Promise<boolean> {
  let problem: unknown;
  const sink = new WritableStream<Uint8Array>({
    write(bytes) {
      try {
        onChunk(bytes);
      } catch (error) {
        problem = error; // ours, as when the person gave up: not a fault of the file
        throw error;
      }
    },
  });
  try {
    await entry.getData(sink, { useWebWorkers: false });
    return true;
  } catch (error) {
    if (problem !== undefined) throw problem;
    if (error instanceof Error) return false;
    throw error;
  }
}

function checkSignature(
  manifest: Uint8Array,
  signature: ManifestSignature | undefined,
): { fingerprint: string | null; isSigned: boolean } {
  const spki = signature && fromBase64(signature.publicKey);
  const bytes = signature && fromBase64(signature.signature);
  const isKey =
    spki?.length === spkiHead.length + 32 && spkiHead.every((byte, index) => spki[index] === byte);
  if (!spki || !isKey || bytes?.length !== 64) return { fingerprint: null, isSigned: false };
  const isSigned = ed25519.verify(bytes, manifest, spki.subarray(spkiHead.length));
  return { fingerprint: bytesToHex(sha256(spki)), isSigned };
}

function parse<T extends typeof Manifest | typeof ManifestSignature>(
  bytes: Uint8Array | undefined,
  schema: T,
): (T extends typeof Manifest ? Manifest : ManifestSignature) | undefined {
  if (!bytes) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined;
    throw error;
  }
  return Check(schema, value) ? (value as never) : undefined;
}

function fromBase64(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text) || text.length % 4 !== 0) return undefined;
  return Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
}

function createSha256(): Sha256 {
  const hash = sha256.create();
  return { update: (bytes) => hash.update(bytes), digest: () => bytesToHex(hash.digest()) };
}
