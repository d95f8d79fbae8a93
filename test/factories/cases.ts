import type { LightMyRequestResponse } from 'fastify';
import type { Role } from '#api/auth/permissions.ts';
import type { Case, NewCase, Package } from '#api/cases/schema.ts';
import type { TestApp } from './app.ts';
import { until } from './footage.ts';

export const policeCase: NewCase = {
  title: '电梯厅物品失窃',
  requester: '李警官',
  organisation: '某某派出所',
  legalBasis: '调取证据通知书〔2026〕12号',
  reason: '查找携带红色背包的男子',
  authoriser: '王院长',
};

/** Calls to `/api/cases` as somebody of a role. */
export function caseCalls(app: TestApp) {
  const send = (role: Role, method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, payload?: object) =>
    app.as(role, { method, url: `/api/cases${path}`, ...(payload ? { payload } : {}) });
  const read = async (id: string, role: Role = 'admin') => (await send(role, 'GET', `/${id}`)).json() as Case;
  return {
    send,
    read,
    async create(facts: Partial<NewCase> = {}): Promise<Case> {
      const response = await send('security', 'POST', '', { ...policeCase, ...facts });
      if (response.statusCode !== 201) throw new Error(response.body);
      return response.json();
    },
    addClip: (id: string, clip: object): Promise<LightMyRequestResponse> =>
      send('security', 'POST', `/${id}/clips`, clip),
    /** Waits until no clip of the case is under way any more. */
    untilClipsEnd: (id: string): Promise<Case> =>
      until(async () => {
        const found = await read(id);
        return found.clips.every((clip) => clip.state !== 'queued' && clip.state !== 'running') && found;
      }, 20_000),
    /** Asks for a package as `role` and waits for its end. */
    async pack(id: string, role: Role = 'security'): Promise<Package> {
      const response = await send(role, 'POST', `/${id}/packages`);
      if (response.statusCode !== 200) throw new Error(response.body);
      return until(async () => {
        const [newest] = (await read(id)).packages;
        return newest?.state === 'ready' || newest?.state === 'failed' ? newest : undefined;
      }, 20_000);
    },
    download: (id: string, role: Role = 'security', headers: Record<string, string> = {}) =>
      app.as(role, { method: 'GET', url: `/api/cases/${id}/package`, headers }),
  };
}
