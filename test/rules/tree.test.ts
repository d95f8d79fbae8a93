import { expect, it } from 'vitest';
import { listPaths, listSources } from './source-files.ts';
import {
  findEnvReaders,
  findLongFiles,
  findSilencedTests,
  findStrayRootEntries,
  findUnfinished,
  findUnknownErrorCodes,
  findWrongNames,
} from './tree.ts';

const paths = listPaths();
const sources = listSources();
const planted = (path: string, text: string) => [{ path, text }];
/** Put together here so that this file does not hold what it looks for. */
const word = (...parts: string[]) => parts.join('');

it('the check sees the project', () => {
  expect(paths).toContain('server/app.ts');
  expect(sources.length).toBeGreaterThan(60);
});

it('the root holds the card’s entries and nothing else', () => {
  expect(findStrayRootEntries(paths)).toEqual([]);
  const stray = ['vite.config.ts', 'src/main.ts', '.npmrc', 'server/app.ts', 'README.md', 'docs/a.md'];
  expect(findStrayRootEntries(stray)).toEqual(['vite.config.ts', 'src', 'docs']);
});

it('files are kebab-case and components Pascal', () => {
  expect(findWrongNames(paths)).toEqual([]);
  const right = [
    'server/http/tls.ts',
    'web/App.svelte',
    'web/lib/live.svelte.ts',
    'a-b/c-d.test.ts',
    'web/i18n/zh-CN.json',
  ];
  expect(findWrongNames(right)).toEqual([]);
  const wrong = [
    'server/httpServer.ts',
    'server/my_file.ts',
    'web/app.svelte',
    'web/Live.svelte.ts',
    'server/Http/tls.ts',
    'a/b.c.ts',
  ];
  expect(findWrongNames(wrong)).toEqual(wrong);
});

it('no file is over 400 lines', () => {
  expect(findLongFiles(sources)).toEqual([]);
  expect(findLongFiles(planted('a.ts', 'x\n'.repeat(400)))).toEqual([]);
  expect(findLongFiles(planted('a.ts', 'x\n'.repeat(401)))).toEqual(['a.ts: 401 lines']);
  expect(findLongFiles(planted('a.ts', `${'x\n'.repeat(400)}x`))).toEqual(['a.ts: 401 lines']);
});

it('only the configuration reads the environment', () => {
  expect(findEnvReaders(sources)).toEqual([]);
  const reader = 'const port = process.env.PORT;';
  for (const path of ['server/http/server.ts', 'media/process/ffmpeg.ts', 'web/lib/api.ts'])
    expect(findEnvReaders(planted(path, reader))).toEqual([path]);
  expect(findEnvReaders(planted('media/a.ts', "import { env } from 'node:process';"))).toEqual([
    'media/a.ts',
  ]);
  for (const path of ['server/config.ts', 'scripts/dev.ts', 'test/factories/app.ts', 'server/a.test.ts'])
    expect(findEnvReaders(planted(path, reader))).toEqual([]);
});

it('every error code that is used is registered', () => {
  expect(findUnknownErrorCodes(sources)).toEqual([]);
  const text = `throw new AppError('auth.forbidden'); throw new AppError(\n 'made.up', {}); errorRegistry["other.one"]`;
  expect(findUnknownErrorCodes(planted('server/a.ts', text))).toEqual([
    'server/a.ts: made.up',
    'server/a.ts: other.one',
  ]);
});

it('no test is switched off or runs alone', () => {
  expect(findSilencedTests(sources)).toEqual([]);
  const calls = [
    word('it', '.only'),
    word('describe', '.skip'),
    word('test', '.concurrent', '.todo'),
    word('it', '.skipIf'),
    word('x', 'it('),
    word('f', 'describe('),
  ];
  for (const call of calls) {
    const text = `${call}${call.endsWith('(') ? '' : '('}'name', () => undefined);`;
    expect(findSilencedTests(planted('server/a.test.ts', text))).toEqual([`server/a.test.ts: ${call}`]);
  }
  const fine = "it.each([1])('only skips', () => process.exit(1)); exit(); await it(); sixit(2)";
  expect(findSilencedTests(planted('test/a.test.ts', fine))).toEqual([]);
});

it('nothing is left for later or hushed up', () => {
  const own = ['test/rules/tree.ts'];
  expect(findUnfinished(sources.filter((file) => !own.includes(file.path)))).toEqual([]);
  for (const mark of [
    word('TO', 'DO'),
    word('FIX', 'ME'),
    word('@ts-', 'ignore'),
    word('oxlint-', 'disable'),
  ])
    expect(findUnfinished(planted('server/a.ts', `// ${mark} later`))).toEqual([`server/a.ts: ${mark}`]);
  const excused = `// ${word('oxlint-', 'disable')}-next-line no-control-regex -- XML 1.0 forbids them`;
  expect(findUnfinished(planted('server/a.ts', excused))).toEqual([]);
  expect(findUnfinished(planted('server/a.ts', excused.replace(/ --.*/, '')))).toHaveLength(1);
});
