import { MediaError } from './errors.ts';

/** Where a camera's stream is taken from. The address never holds a password; credentials stand beside it. */
export interface StreamSource {
  /** `rtsp://host[:port]/path`, without a user part. */
  url: string;
  transport: 'tcp' | 'udp';
  credentials?: { username: string; password: string };
}

/** Checks a source's address. @throws MediaError `not-supported` for anything but an `rtsp:` URL without a user part */
export function checkedUrl(source: StreamSource): URL {
  const url = URL.canParse(source.url) ? new URL(source.url) : undefined;
  if (url?.protocol !== 'rtsp:' || url.hostname === '' || url.username !== '' || url.password !== '') {
    throw new MediaError('not-supported', 'a stream address must be rtsp://host/path without a user part');
  }
  return url;
}

/** The address as ffmpeg wants it, with the credentials inside. Only for its argument list: never log it. */
export function urlForFfmpeg(source: StreamSource): string {
  checkedUrl(source);
  if (!source.credentials) return source.url;
  const { username, password } = source.credentials;
  return source.url.replace('://', `://${encodeURIComponent(username)}:${encodeURIComponent(password)}@`);
}
