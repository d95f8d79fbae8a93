import type { AuditEntry, AuditQuery } from '#api/auth/schema.ts';
import { showFailure } from '../../lib/toast.ts';
import { listAudit } from './api.ts';

const pageSize = 100;

/** The rows after the first page, fetched as the reader asks for more. A new filter starts over. */
export class AuditPager {
  older = $state.raw<readonly AuditEntry[]>([]);
  isLoading = $state(false);
  #next = $state<number | null>(null);
  /** Changes with every first page, so that an answer to an older filter is dropped. */
  #generation = 0;

  get hasMore(): boolean {
    return this.#next !== null;
  }

  async firstPage(query: AuditQuery, signal: AbortSignal): Promise<AuditEntry[]> {
    const page = await listAudit({ ...query, limit: pageSize }, signal);
    this.#generation += 1;
    this.older = [];
    this.#next = page.nextBeforeSeq;
    return page.entries;
  }

  async more(query: AuditQuery): Promise<void> {
    if (this.#next === null || this.isLoading) return;
    const generation = this.#generation;
    this.isLoading = true;
    try {
      const page = await listAudit({ ...query, limit: pageSize, beforeSeq: this.#next });
      if (generation !== this.#generation) return;
      this.older = [...this.older, ...page.entries];
      this.#next = page.nextBeforeSeq;
    } catch (error) {
      showFailure(error);
    } finally {
      this.isLoading = false;
    }
  }
}
