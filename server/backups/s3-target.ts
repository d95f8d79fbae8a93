import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import type { S3Config } from './schema.ts';
import { BackupError, type BackupTarget, type TargetProblem } from './types.ts';

const connectTimeoutMs = 5_000;
/** The SDK would write on the console that a stream cannot be sent twice; every failure is thrown as well. */
const quiet = () => undefined;
/** Without a byte moving. */
const silenceTimeoutMs = 30_000;

/**
 * S3-compatible storage. An upload carries the file's SHA-256 in its signed header, so that a server which checks signatures refuses a body
 * that was damaged on the way. The SDK's own checksums are left out: they come in a chunked form that older servers do not read.
 * Source: AWS Signature Version 4, `x-amz-content-sha256`.
 */
export function createS3Target(config: S3Config, secretAccessKey: string): BackupTarget {
  const client = new S3Client({
    endpoint: config.endpoint,
    region: config.region,
    forcePathStyle: config.isPathStyle,
    credentials: { accessKeyId: config.accessKeyId, secretAccessKey },
    maxAttempts: 2,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    logger: { trace: quiet, debug: quiet, info: quiet, warn: quiet, error: quiet },
    requestHandler: { connectionTimeout: connectTimeoutMs, socketTimeout: silenceTimeoutMs },
  });
  const Bucket = config.bucket;
  const keyOf = (key: string) => `${config.prefix}${key}`;

  return {
    async check(signal) {
      await client
        .send(new HeadBucketCommand({ Bucket }), { abortSignal: signal })
        .catch((error: unknown) => {
          throw toBackupError(error, 'no-bucket');
        });
    },
    async put(key, { path, sizeBytes, sha256 }, signal) {
      const command = new PutObjectCommand({
        Bucket,
        Key: keyOf(key),
        Body: createReadStream(path),
        ContentLength: sizeBytes,
        ContentType: 'video/mp4',
        Metadata: { sha256 },
      });
      command.middlewareStack.add(
        (next) => (args) => {
          const request = args.request as { headers: Record<string, string> };
          request.headers['x-amz-content-sha256'] = sha256;
          return next(args);
        },
        { step: 'build', name: 'knownBodyHash' },
      );
      await client.send(command, { abortSignal: signal }).catch((error: unknown) => {
        throw toBackupError(error, 'no-bucket');
      });
    },
    async read(key, signal) {
      const { Body } = await client
        .send(new GetObjectCommand({ Bucket, Key: keyOf(key) }), { abortSignal: signal })
        .catch((error: unknown) => {
          throw toBackupError(error, 'gone');
        });
      if (!(Body instanceof Readable)) throw new BackupError('unreachable', 'an answer without a body');
      return Body;
    },
    async remove(key, signal) {
      await client
        .send(new DeleteObjectCommand({ Bucket, Key: keyOf(key) }), { abortSignal: signal })
        .catch((error: unknown) => {
          throw toBackupError(error, 'gone');
        });
    },
    close: () => client.destroy(),
  };
}

const problemByName: Readonly<Record<string, TargetProblem | 'bad-copy'>> = {
  BadDigest: 'bad-copy',
  XAmzContentSHA256Mismatch: 'bad-copy',
  NoSuchBucket: 'no-bucket',
  AccessDenied: 'refused',
  InvalidAccessKeyId: 'refused',
  SignatureDoesNotMatch: 'refused',
  QuotaExceeded: 'full',
  XMinioStorageFull: 'full',
  SlowDown: 'slow',
  TimeoutError: 'slow',
};

/** @param whenMissing what a plain 404 means for the request: answers to HEAD have no body that says */
function toBackupError(error: unknown, whenMissing: 'no-bucket' | 'gone'): Error {
  const { name, message, $metadata } = error as {
    name: string;
    message: string;
    $metadata?: { httpStatusCode?: number };
  };
  if (name === 'AbortError') return error as Error;
  const status = $metadata?.httpStatusCode;
  const byStatus =
    status === 404
      ? whenMissing
      : status === 401 || status === 403
        ? 'refused'
        : status === 413 || status === 507
          ? 'full'
          : status === 429 || status === 503
            ? 'slow'
            : 'unreachable';
  return new BackupError(problemByName[name] ?? byStatus, `${name}: ${message}`, { cause: error });
}
