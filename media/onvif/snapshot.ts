import { MediaError } from '#media/errors.ts';
import type { DeviceContext } from './context.ts';
import { authorizationFor } from './digest-auth.ts';
import { readChallenges } from './faults.ts';
import { exchange, type HttpAnswer } from './http.ts';

/** A 4K JPEG at the best quality is about 3 MB. */
const MAX_BYTES = 8_000_000;

/**
 * One JPEG picture from a snapshot address, whose host listChannels has already checked. The log-in is HTTP Digest, tried only after the
 * device asked for it; Basic is used over https alone.
 * @throws MediaError 'unauthorized', 'locked', 'not-supported' (404, or Basic over plain HTTP: `details.isBasicOnly`), 'no-media' (an
 * answer that is no JPEG), 'timeout', 'unreachable', 'too-large', 'protocol'
 */
export async function readSnapshot(
  context: DeviceContext,
  snapshotUri: string,
  signal?: AbortSignal,
): Promise<Buffer> {
  const url = new URL(snapshotUri);
  const { soap } = context;
  const get = (authorization?: string): Promise<HttpAnswer> =>
    exchange({
      url,
      method: 'GET',
      headers: { accept: 'image/jpeg', ...(authorization ? { authorization } : {}) },
      deadlineMs: context.deadlineMs,
      maxBytes: MAX_BYTES,
      // A snapshot on another host, inside the trusted networks, has a certificate of its own.
      tlsFingerprint: url.host === new URL(context.xaddr).host ? soap.tlsFingerprint : undefined,
      signal,
    });

  let answer = await get();
  if (answer.status === 401 && soap.credentials) {
    soap.assertMayTry();
    const { digest, isBasicOnly } = readChallenges(answer);
    if (isBasicOnly && url.protocol !== 'https:') {
      throw new MediaError(
        'not-supported',
        'the snapshot wants Basic log-in over plain HTTP, which would send the password readably',
        {
          isBasicOnly: true,
        },
      );
    }
    const { username, password } = soap.credentials;
    const uri = url.pathname + url.search;
    const authorization = digest
      ? authorizationFor(digest, { method: 'GET', uri, username, password, nc: 1 })
      : isBasicOnly
        ? `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
        : undefined;
    if (authorization) {
      answer = await get(authorization);
      if (answer.status === 401 || answer.status === 403) soap.noteOutcome('snapshot', 'refused');
    }
  }
  return pictureOf(answer);
}

function pictureOf({ status, body }: HttpAnswer): Buffer {
  if (status === 200) {
    if (body[0] === 0xff && body[1] === 0xd8) return body;
    throw new MediaError('no-media', 'the snapshot address answered something that is no JPEG picture', {
      sizeBytes: body.length,
    });
  }
  if (status === 401 || status === 403)
    throw new MediaError('unauthorized', `the snapshot was refused (HTTP ${status})`, { status });
  if (status === 423 || status === 429)
    throw new MediaError('locked', `the device refuses log-ins for now (HTTP ${status})`, { status });
  if (status === 404 || status === 501)
    throw new MediaError('not-supported', `there is no snapshot here (HTTP ${status})`, { status });
  throw new MediaError('protocol', `the snapshot address answered HTTP ${status}`, { status });
}
