import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { CredentialSet, DiscoveryRequest, DiscoveryRun, Finding } from '#api/devices/schema.ts';
import type { TestApp } from './app.ts';

/** The wizard's steps as an engineer's browser takes them. */
export function wizardOf(app: TestApp) {
  const post = (url: string, payload: object) => app.as('engineer', { method: 'POST', url, payload });

  async function list(): Promise<Finding[]> {
    const answer = await app.as('engineer', { url: '/api/discovery/findings' });
    expect(answer.statusCode, answer.body).toBe(200);
    return answer.json<{ findings: Finding[] }>().findings;
  }

  async function until<T>(look: () => Promise<T | undefined>, what: string, timeoutMs = 60_000): Promise<T> {
    const endAt = Date.now() + timeoutMs;
    for (;;) {
      const seen = await look();
      if (seen !== undefined) return seen;
      if (Date.now() > endAt) throw new Error(`not within ${timeoutMs} ms: ${what}`);
      await sleep(50);
    }
  }

  /** Runs a search to its end. */
  async function search(request: DiscoveryRequest): Promise<DiscoveryRun> {
    const started = await post('/api/discovery/runs', request);
    expect(started.statusCode, started.body).toBe(201);
    return until(async () => {
      const run = (await app.as('engineer', { url: '/api/discovery/runs/current' })).json<DiscoveryRun>();
      return run.state === 'running' ? undefined : run;
    }, 'end of the search');
  }

  /** Asks findings and waits until none of them is being asked. */
  async function learn(
    findingIds: readonly string[],
    credentialSets: readonly CredentialSet[],
  ): Promise<Finding[]> {
    const answer = await post('/api/discovery/learn', { findingIds, credentialSets });
    expect(answer.statusCode, answer.body).toBe(202);
    await settled();
    return (await list()).filter((finding) => findingIds.includes(finding.id));
  }

  /** Waits until no finding is being asked, and for a while none begins to be. */
  async function settled(): Promise<void> {
    let quietSince = Date.now();
    await until(async () => {
      if ((await list()).some((finding) => finding.outcome === 'asking')) quietSince = Date.now();
      return Date.now() - quietSince > 300 ? true : undefined;
    }, 'end of asking');
  }

  const register = (items: readonly { findingId: string; name?: string; placeId?: string }[]) =>
    post('/api/discovery/register', { items });

  return { post, list, until, search, learn, settled, register };
}
