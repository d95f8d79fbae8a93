import { describe, expect, it } from 'vitest';
import { attachmentHeader, clipName } from './clip-name.ts';

const span = { fromAt: Date.parse('2026-11-24T15:59:58Z'), toAt: Date.parse('2026-11-24T16:10:00Z') };

describe('clipName', () => {
  it('tells the camera and the times on the wall of the site', () => {
    const name = clipName('急诊大厅 01', span, 'Asia/Shanghai', '0123456789abcdef');
    expect(name).toBe('急诊大厅-01_20261124-235958_20261125-001000_89abcdef.mp4');
  });
  it('keeps path signs, line ends and overlong names out of the file system', () => {
    const name = clipName(`../../etc/passwd\r\n"${'长'.repeat(300)}`, span, 'Asia/Shanghai', 'aaaaaaaaaa');
    expect(name).toMatch(/^etc-passwd-长+_/);
    expect(Buffer.byteLength(name)).toBeLessThan(255);
    expect(clipName('///', span, 'Asia/Shanghai', 'aaaaaaaaaa')).toMatch(/^camera_/);
  });
});

describe('attachmentHeader', () => {
  it('gives the true name to those who read RFC 5987 and a plain one to the rest', () => {
    expect(attachmentHeader("急'诊 (1).mp4")).toBe(
      `attachment; filename="_'_ (1).mp4"; filename*=UTF-8''%E6%80%A5%27%E8%AF%8A%20%281%29.mp4`,
    );
    expect(attachmentHeader('a"b\r\n.mp4')).not.toMatch(/[\r\n]|a"b/);
  });
});
