import { readFileSync } from 'node:fs';
import type { Manifest } from './schema.ts';

const template = readFileSync(new URL('./templates/player.html', import.meta.url), 'utf8');

/**
 * `index.html` of a package: plays its clips by double-click, without a network. Names stand in it as JSON in a script block that is never run,
 * and reach the page as text only.
 */
export function playerPage(manifest: Omit<Manifest, 'format'>): string {
  // `<` would let a camera's name end the block; the two separators are line ends to older parsers.
  const json = JSON.stringify(manifest).replace(
    /[<\u2028\u2029]/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return template.replace('/*DATA*/', () => json);
}

/** `README.txt` of a package: what is in it and how to check it, in both languages. */
export function readmeText({ case: facts, package: made }: Omit<Manifest, 'format'>): string {
  return [
    `视频证据包　案件 ${facts.number}　第 ${made.number} 号`,
    '',
    '1. 先把 ZIP 全部解压，再双击 index.html 播放（无需联网）。cover.pdf 是移交单。',
    '2. clips 为录像，stills 为截图。原始码流（H.265）若浏览器无法播放，请用 VLC 等播放器。',
    '3. manifest.json 记录每个文件的 SHA-256、来源、时段、缺失和设备；manifest.sig 是对它的 Ed25519 签名。',
    '4. 核验：在维安控制台打开“核验证据包”并选择本 ZIP（文件不会上传），或运行 npm run verify -- 文件.zip。',
    `5. 签名密钥指纹：${made.keyFingerprint}`,
    '',
    `Video evidence, case ${facts.number}, package ${made.number}`,
    '',
    '1. Unpack the whole ZIP, then open index.html by double-click; no network is needed. cover.pdf is the cover sheet.',
    '2. Recordings are in clips, pictures in stills. Where a browser cannot play H.265, use a player such as VLC.',
    '3. manifest.json holds the SHA-256, source, times, gaps and camera of every file; manifest.sig is an Ed25519 signature over it.',
    '4. To check: open "Verify a package" in the console and choose this ZIP (it is not uploaded), or run npm run verify -- file.zip.',
    `5. Fingerprint of the signing key: ${made.keyFingerprint}`,
    '',
  ].join('\r\n');
}
