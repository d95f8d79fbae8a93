import { describe, expect, it } from 'vitest';
import { createDeviceLanes } from './device-lanes.ts';

/** Work that ends when told, and notes what runs. */
function makeWork() {
  const running = new Set<string>();
  const ends = new Map<string, () => void>();
  let most = 0;
  const work = (name: string) => (stop: AbortSignal) => {
    running.add(name);
    most = Math.max(most, running.size);
    return new Promise<void>((resolve, reject) => {
      const end = (settle: () => void) => () => {
        running.delete(name);
        settle();
      };
      ends.set(name, end(resolve));
      stop.addEventListener(
        'abort',
        end(() => reject(stop.reason as Error)),
        { once: true },
      );
    });
  };
  return { work, running, end: (name: string) => ends.get(name)?.(), most: () => most };
}
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('work on devices', () => {
  it('is at most two at once for each, in order', async () => {
    const lanes = createDeviceLanes(2);
    const { work, running, end, most } = makeWork();
    const all = ['a', 'b', 'c', 'd'].map((name) => lanes.run('nvr', name, undefined, work(name)));
    const other = lanes.run('other', 'x', undefined, work('x'));
    await turn();
    expect([...running]).toEqual(['a', 'b', 'x']);
    end('b');
    await turn();
    expect([...running]).toEqual(['a', 'x', 'c']);
    for (const name of ['a', 'c', 'x']) end(name);
    await turn();
    end('d');
    await Promise.all([...all, other]);
    expect(most()).toBe(3);
  });

  it('that two want is done once, goes on when one gives up, and stops when both do', async () => {
    const lanes = createDeviceLanes(2);
    const { work, running } = makeWork();
    const [one, two] = [new AbortController(), new AbortController()];
    const first = lanes.run('nvr', 'a', one.signal, work('a'));
    const second = lanes.run('nvr', 'a', two.signal, work('again'));
    await turn();
    expect([...running]).toEqual(['a']);
    one.abort();
    await expect(first).rejects.toMatchObject({ code: 'cancelled' });
    expect([...running]).toEqual(['a']);
    two.abort();
    await expect(second).rejects.toMatchObject({ code: 'cancelled' });
    await lanes.settled();
    expect([...running]).toEqual([]);
  });

  it('gives its place on when it fails, and may be tried again', async () => {
    const lanes = createDeviceLanes(1);
    const fail = () => Promise.reject(new Error('the device is gone'));
    await expect(lanes.run('nvr', 'a', undefined, fail)).rejects.toThrow('gone');
    await expect(lanes.run('nvr', 'a', undefined, () => Promise.resolve())).resolves.toBeUndefined();
  });
});
