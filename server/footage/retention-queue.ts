import type { Candidate, ChannelQueue, KeepRule } from './retention.ts';

const firstPageSize = 20;
const pageSize = 500;

/**
 * The files of a channel as retention wants them: oldest first, fetched page by page, a small one first, because mostly a few files go.
 * @param source.isSkipped files that cannot be deleted and must not be tried again
 */
export function createQueue<C extends Candidate>(
  { channelId, rule }: { channelId: string; rule: KeepRule },
  source: {
    list(channelId: string, limit: number, after?: C): Promise<C[]>;
    isSkipped(candidate: C): boolean;
  },
): ChannelQueue<C> {
  let page: C[] = [];
  let at = 0;
  let last: C | undefined;
  let isAtEnd = false;
  return {
    channelId,
    rule,
    async head() {
      for (;;) {
        const head = page[at];
        if (head && !source.isSkipped(head)) return head;
        if (head) {
          at += 1;
          continue;
        }
        if (isAtEnd) return undefined;
        const limit = last === undefined ? firstPageSize : pageSize;
        page = await source.list(channelId, limit, last);
        at = 0;
        isAtEnd = page.length < limit;
        last = page.at(-1) ?? last;
      }
    },
    take() {
      at += 1;
    },
  };
}
