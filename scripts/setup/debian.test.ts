import { expect, test } from 'vitest';
import { aptProgress, packageGroups, parseMissing } from './debian.mjs';

test('only packages that dpkg calls installed are there: removed, half-installed and unknown ones are missing', () => {
  const listing = [
    'ffmpeg\tii ',
    'openssl\thi ',
    'meson\trc ',
    'chromium\tiU ',
    'fonts-wqy-zenhei\tun ',
    '',
  ].join('\n');
  const names = ['ffmpeg', 'openssl', 'meson', 'chromium', 'fonts-wqy-zenhei', 'never-heard-of'];
  expect(parseMissing(names, listing)).toEqual(['meson', 'chromium', 'fonts-wqy-zenhei', 'never-heard-of']);
});

test('nothing is installed on a system whose listing is empty', () => {
  expect(parseMissing(packageGroups.runtime, '')).toEqual(packageGroups.runtime);
});

test('the progress of apt-get is told in counts, and other lines tell nothing', () => {
  const counts = { total: 0, unpacked: 0, configured: 0 };
  const lines = [
    '0 upgraded, 2 newly installed, 0 to remove and 11 not upgraded.',
    'Get:1 http://mirror bookworm/main amd64 meson all 1.0.1-5 [1 kB]',
    'Unpacking meson (1.0.1-5) ...',
    'Unpacking ninja-build (1.11.1-1) ...',
    'Setting up meson (1.0.1-5) ...',
    'E: Unable to locate package nonsense',
  ];
  expect(lines.map((line) => aptProgress(line, counts))).toEqual([
    undefined,
    'downloading 1/2',
    'unpacking 1/2',
    'unpacking 2/2',
    'configuring 1/2',
    undefined,
  ]);
});
