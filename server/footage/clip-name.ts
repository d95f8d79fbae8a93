import type { SpanMs } from './spans.ts';
import { zonedParts } from './site-days.ts';

/**
 * File name of an exported clip: channel name, first and last second in the site's zone, and the end of the export's id, which is random, so that
 * two clips never share a name and a file can be found again from its row. Safe on every file system: letters, digits, `-`, `_`, at
 * most 120 characters.
 */
export function clipName(
  channelName: string,
  span: SpanMs,
  zone: string,
  exportId: string,
  suffix: 'mp4' | 'png' = 'mp4',
): string {
  const safe = channelName
    .normalize('NFC')
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .replace(/^-+|-+$/g, '');
  const stamp = (at: number) => {
    const { year, month, day, hour, minute, second } = zonedParts(at, zone);
    return `${year}${month}${day}-${hour}${minute}${second}`;
  };
  const name = [...(safe || 'camera')].slice(0, 50).join('');
  return `${name}_${stamp(span.fromAt)}_${stamp(span.toAt)}_${exportId.slice(-8)}.${suffix}`;
}

/** `Content-Disposition` for a download with any Unicode name: an ASCII stand-in first, then the true name. Source: RFC 6266, RFC 5987. */
export function attachmentHeader(fileName: string): string {
  const ascii = fileName.replace(/[^\x20-\x7e]/g, '_').replace(/["\\]/g, '_');
  const encoded = encodeURIComponent(fileName).replace(
    /['()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`;
}
