import type { DayContinuity } from './continuity.ts';

const heads = {
  'zh-CN': [
    '摄像机',
    '日期',
    '已录（分钟）',
    '缺失（分钟）',
    '其他未录（分钟）',
    '最长中断（分钟）',
    '原因（分钟）',
  ],
  en: [
    'Camera',
    'Day',
    'Recorded (min)',
    'Missing (min)',
    'Excused (min)',
    'Longest gap (min)',
    'Causes (min)',
  ],
} as const;
export type ReportLanguage = keyof typeof heads;

const causes: Readonly<Record<string, readonly [zh: string, en: string]>> = {
  'camera-lost': ['摄像机失联', 'camera lost'],
  'server-stopped': ['服务器停机', 'server stopped'],
  'disk-full': ['磁盘已满', 'disk full'],
  'recording-off': ['未启用录像', 'recording off'],
  'stream-changed': ['码流变更', 'stream changed'],
  'deleted-by-retention': ['到期删除', 'deleted when due'],
  'deleted-before-minimum': ['未到最短期限被删除', 'deleted before its minimum'],
  'file-missing': ['文件丢失', 'file missing'],
  'not-recorded-yet': ['尚未开始录像', 'not recorded yet'],
};

/** The report as a table for spreadsheets: UTF-8 with a mark at the start, without which Excel takes Chinese for something else. */
export function continuityCsv(
  rows: readonly (DayContinuity & { channelName: string })[],
  language: ReportLanguage,
): string {
  const nameOf = (cause: string | null) => {
    if (cause === null) return language === 'en' ? 'unknown' : '未知';
    return causes[cause]?.[language === 'en' ? 1 : 0] ?? cause;
  };
  const minutes = (ms: number) => (ms / 60_000).toFixed(1);
  const lines = rows.map((row) => [
    row.channelName,
    row.day,
    minutes(row.recordedMs),
    minutes(row.missingMs),
    minutes(row.excusedMs),
    minutes(row.longestGapMs),
    row.causes.map(({ cause, totalMs }) => `${nameOf(cause)} ${minutes(totalMs)}`).join('; '),
  ]);
  return `\uFEFF${[heads[language], ...lines].map((line) => line.map(cell).join(',')).join('\r\n')}\r\n`;
}

/** A name that begins like a formula would be run by a spreadsheet: it gets a quote before it. Source: OWASP, CSV injection. */
function cell(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
