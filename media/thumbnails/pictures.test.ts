import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MediaError } from '../errors.ts';
import { silentLog as log } from '../log.ts';
import { openFileCache } from './file-cache.ts';
import { spreadEvenly } from './film-plan.ts';
import { packGrey, unpackGrey } from './grey-file.ts';
import { thinOut, toAnnexB } from './key-pictures.ts';
import { createMomentJoiner } from './moments.ts';
import { createSharedWork } from './shared-work.ts';

describe('a filmstrip', () => {
  it('spreads its instants evenly, each in the middle of its part', () => {
    expect(spreadEvenly({ fromAt: 0, toAt: 1_000 }, 4)).toEqual([125, 375, 625, 875]);
    expect(spreadEvenly({ fromAt: 5, toAt: 6 }, 1)).toEqual([6]);
  });
  it('thins out key frames by their time, not by their number', () => {
    const at = (...times: number[]) => times.map((time) => ({ at: time }));
    expect(thinOut(at(0, 250, 500, 750, 1_000, 1_010, 3_000), 1_000)).toEqual(at(0, 1_000, 3_000));
    expect(thinOut(at(0, 960, 1_920), 1_000)).toHaveLength(3);
  });
});

describe('moments', () => {
  const score = (share: number) => ({ share, isChanged: share > 0, isWholePicture: false });
  it('are joined over a short calm, told once over, and know their peak', () => {
    const joiner = createMomentJoiner();
    const told = [
      [0, 0],
      [1_000, 0.1],
      [2_000, 0.4],
      [3_000, 0],
      [6_000, 0.2],
      [13_000, 0],
      [20_000, 0.3],
    ].flatMap(([at = 0, share = 0]) => joiner.next(at, score(share)) ?? []);
    expect(told).toEqual([{ fromAt: 1_000, toAt: 6_000, peakAt: 2_000, share: 0.4, isWholePicture: false }]);
    expect(joiner.end()).toMatchObject({ fromAt: 20_000, toAt: 20_000 });
    expect(joiner.end()).toBeUndefined();
  });
});

describe('a raw key frame', () => {
  const config = Buffer.from('0142001effe100026742010002684e', 'hex');
  it('has its parameter sets before it and start codes between its parts', () => {
    const sample = Buffer.from('0000000165000000026566', 'hex');
    expect(toAnnexB(sample, { codec: 'h264', config }).toString('hex')).toBe(
      '00000001674200000001684e0000000165000000016566',
    );
  });
  it('is refused when a length leads out of it', () => {
    const cut = Buffer.from('0000000965', 'hex');
    expect(() => toAnnexB(cut, { codec: 'h264', config })).toThrow(MediaError);
    expect(() => toAnnexB(Buffer.alloc(0), { codec: 'h264', config: config.subarray(0, 8) })).toThrow(
      MediaError,
    );
  });
});

describe('small pictures in the cache', () => {
  const size = { width: 2, height: 2 };
  const pictures = [
    { at: 1_700_000_000_000, picture: Uint8Array.of(1, 2, 3, 4) },
    { at: 1_700_000_001_000, picture: undefined },
    { at: 1_700_000_002_000, picture: Uint8Array.of(9, 8, 7, 6) },
  ];
  it('come back as they were, holes included', () => {
    const back = unpackGrey(packGrey(pictures, size), size);
    expect(back?.map((each) => ({ at: each.at, picture: each.picture && [...each.picture] }))).toEqual(
      pictures.map((each) => ({ at: each.at, picture: each.picture && [...each.picture] })),
    );
  });
  it('are made anew when they are torn, foreign or of another size', () => {
    const packed = packGrey(pictures, size);
    expect(unpackGrey(packed.subarray(0, packed.length - 1), size)).toBeUndefined();
    expect(unpackGrey(Buffer.concat([packed, Buffer.from([0])]), size)).toBeUndefined();
    expect(unpackGrey(packed, { width: 4, height: 1 })).toBeUndefined();
    expect(unpackGrey(Buffer.from('no such file'), size)).toBeUndefined();
    packed.writeUInt32BE(4_000_000_000, 8);
    expect(unpackGrey(packed, size)).toBeUndefined();
  });
});

describe('the cache on disk', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'weian-cache-'));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));
  const open = (maxFiles = 10, maxBytes = 1_000) => openFileCache({ dir, maxFiles, maxBytes, log });

  it('lets what was not used for longest go first, by number and by size', async () => {
    const cache = await open(3, 100);
    for (const name of ['a', 'b', 'c']) await cache.put(`c1/${name}`, Buffer.from(name));
    await cache.get('c1/a');
    await cache.put('c1/d', Buffer.from('d'));
    expect(cache.keys()).toEqual(['c1/c', 'c1/a', 'c1/d']);
    await cache.put('c1/e', Buffer.alloc(99));
    expect(cache.keys()).toEqual(['c1/d', 'c1/e']);
    expect(cache.usage()).toEqual({ count: 2, bytes: 100 });
    expect((await readdir(join(dir, 'c1'))).toSorted()).toEqual(['d', 'e']);
  });
  it('takes up what an earlier run left, and none of its unfinished files', async () => {
    await (await open()).put('c1/a', Buffer.from('kept'));
    await writeFile(join(dir, 'c1', 'b.new'), 'torn');
    const again = await open();
    expect(again.keys()).toEqual(['c1/a']);
    expect(String(await again.get('c1/a'))).toBe('kept');
    expect(await readdir(join(dir, 'c1'))).toEqual(['a']);
  });
  it('does without a file that somebody deleted, and refuses names that lead elsewhere', async () => {
    const cache = await open();
    await cache.put('c1/a', Buffer.from('x'));
    await rm(join(dir, 'c1', 'a'));
    expect(await cache.get('c1/a')).toBeUndefined();
    expect(cache.usage()).toEqual({ count: 0, bytes: 0 });
    await expect(cache.put('../a', Buffer.from('x'))).rejects.toThrow(RangeError);
  });
  it('counts a file that is written again once, and drops what it is told to', async () => {
    const cache = await open();
    await cache.put('c1/a', Buffer.alloc(10));
    await cache.put('c1/a', Buffer.alloc(30));
    await cache.put('c2/b', Buffer.alloc(5));
    expect(cache.usage()).toEqual({ count: 2, bytes: 35 });
    expect(await cache.dropWhere((key) => key.startsWith('c1/'))).toBe(1);
    expect(cache.usage()).toEqual({ count: 1, bytes: 5 });
    expect((await readFile(join(dir, 'c2', 'b'))).length).toBe(5);
  });
});

describe('shared work', () => {
  it('does one thing once for all who ask, and few things at a time', async () => {
    const work = createSharedWork<string>({ maxRunning: 2, maxWaiting: 10 });
    let running = 0;
    let most = 0;
    let made = 0;
    const make = (name: string) => async () => {
      made += 1;
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running -= 1;
      return name;
    };
    const asked = ['a', 'b', 'a', 'c', 'd', 'c'].map((name) => work.run(name, make(name)));
    expect(await Promise.all(asked)).toEqual(['a', 'b', 'a', 'c', 'd', 'c']);
    expect({ made, most }).toEqual({ made: 4, most: 2 });
  });
  it('refuses when too many wait, and gives up what nobody wants any more', async () => {
    const work = createSharedWork<string>({ maxRunning: 1, maxWaiting: 1 });
    const stopped: string[] = [];
    const endless = (name: string) => (signal: AbortSignal) =>
      new Promise<string>((_resolve, reject) =>
        signal.addEventListener('abort', () => {
          stopped.push(name);
          reject(new MediaError('cancelled', 'stopped'));
        }),
      );
    const [first, second] = [new AbortController(), new AbortController()];
    const asked = [first, second].map(({ signal }) => work.run('a', endless('a'), signal));
    const waiting = work.run('b', async () => 'b');
    await expect(work.run('c', async () => 'c')).rejects.toThrow('too many wait');
    first.abort();
    await expect(asked[0]).rejects.toThrow('nobody waits');
    expect(stopped).toEqual([]);
    second.abort();
    await expect(asked[1]).rejects.toThrow();
    expect(stopped).toEqual(['a']);
    expect(await waiting).toBe('b');
  });
});
