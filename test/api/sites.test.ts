import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Place } from '#api/sites/schema.ts';
import { makeTestApp, type TestApp } from '../factories/app.ts';

let app: TestApp;
beforeAll(async () => {
  app = await makeTestApp();
});
afterAll(() => app.destroy());

const add = (payload: object) => app.as('engineer', { method: 'POST', url: '/api/places', payload });
async function made(payload: object): Promise<Place> {
  const answer = await add(payload);
  expect(answer.statusCode, answer.body).toBe(201);
  return answer.json<Place>();
}
const svg = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1600 900"><script>alert(1)</script></svg>';
const putPlan = (id: string, payload: string | Buffer, type: string, query = '') =>
  app.as('engineer', {
    method: 'PUT',
    url: `/api/places/${id}/plan${query}`,
    payload,
    headers: { 'content-type': type },
  });

it('keeps the order of kinds: nothing but a campus at the top, nothing below its own kind', async () => {
  const campus = await made({ parentId: null, kind: 'campus', name: '主院区' });
  const building = await made({
    parentId: campus.id,
    kind: 'building',
    name: '门诊楼',
    nameEn: 'Outpatients',
  });
  const floor = await made({ parentId: building.id, kind: 'floor', name: '一层', sort: 1 });
  const area = await made({ parentId: floor.id, kind: 'area', name: '急诊' });
  for (const [parentId, kind] of [
    [null, 'floor'],
    [floor.id, 'building'],
    [area.id, 'area'],
    [campus.id, 'campus'],
    ['nobody', 'floor'],
  ]) {
    const refused = await add({ parentId, kind, name: 'x' });
    expect(refused.statusCode).toBe(400);
    expect(refused.json().details.fields[0].path).toBe('/parentId');
  }
  const list = await app.as('viewer', { url: '/api/places' });
  expect(list.json().places).toHaveLength(4);
  expect(await app.db('audit_entries').where({ action: 'place.added' })).toHaveLength(4);
});

it('does not take down a place with something in it', async () => {
  const campus = await made({ parentId: null, kind: 'campus', name: '分院' });
  const building = await made({ parentId: campus.id, kind: 'building', name: '楼' });
  const refused = await app.as('engineer', { method: 'DELETE', url: `/api/places/${campus.id}` });
  expect(refused.statusCode).toBe(409);
  expect(refused.json().details).toEqual({ places: 1, devices: 0 });

  const device = {
    id: 'd',
    identity: 'd',
    kind: 'camera',
    name: 'd',
    host: 'h',
    xaddr: 'x',
    place_id: building.id,
  };
  await app.db('devices').insert({ ...device, created_at: 1, updated_at: 1 });
  const inUse = await app.as('engineer', { method: 'DELETE', url: `/api/places/${building.id}` });
  expect(inUse.json().details).toEqual({ places: 0, devices: 1 });
  await app.db('devices').where({ id: 'd' }).delete();

  for (const place of [building, campus])
    expect((await app.as('engineer', { method: 'DELETE', url: `/api/places/${place.id}` })).statusCode).toBe(
      200,
    );
  expect((await app.as('engineer', { method: 'DELETE', url: `/api/places/${campus.id}` })).statusCode).toBe(
    404,
  );
});

it('changes only what is named, and refuses what it does not know', async () => {
  const campus = await made({ parentId: null, kind: 'campus', name: '旧名', nameEn: 'Old', sort: 3 });
  const change = (payload: object) =>
    app.as('engineer', { method: 'PATCH', url: `/api/places/${campus.id}`, payload });
  expect((await change({ name: '新名' })).json()).toMatchObject({ name: '新名', nameEn: 'Old', sort: 3 });
  expect((await change({ parentId: 'x' })).statusCode).toBe(400);
  expect(
    (await app.as('viewer', { method: 'PATCH', url: `/api/places/${campus.id}`, payload: {} })).statusCode,
  ).toBe(403);
});

it('keeps a plan under an address that never changes, with its scripts dead', async () => {
  const campus = await made({ parentId: null, kind: 'campus', name: '图' });
  const put = await putPlan(campus.id, svg, 'image/svg+xml', '?metresPerPixel=0.05');
  expect(put.statusCode, put.body).toBe(200);
  const { plan } = put.json<Place>();
  expect(plan).toMatchObject({ widthPx: 1600, heightPx: 900, metresPerPixel: 0.05 });

  const picture = await app.as('viewer', { url: plan?.url ?? '' });
  expect(picture.body).toBe(svg);
  expect(picture.headers).toMatchObject({
    'content-type': 'image/svg+xml',
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    'x-content-type-options': 'nosniff',
    'cache-control': 'private, max-age=31536000, immutable',
  });
  expect((await app.http.inject({ url: plan?.url ?? '' })).statusCode).toBe(401);

  const second = await putPlan(campus.id, svg.replace('900', '800'), 'image/png'); // the bytes decide, not the name
  expect(second.json<Place>().plan).toMatchObject({ heightPx: 800, metresPerPixel: null });
  expect(second.json<Place>().plan?.url).not.toBe(plan?.url);
  expect((await app.as('viewer', { url: plan?.url ?? '' })).statusCode).toBe(404);
});

it('refuses plans that are no picture, too large, or for nobody', async () => {
  const campus = await made({ parentId: null, kind: 'campus', name: '坏图' });
  expect((await putPlan(campus.id, '<html></html>', 'image/svg+xml')).json().code).toBe('plan.bad-file');
  expect((await putPlan(campus.id, Buffer.alloc(8_000_001), 'image/png')).statusCode).toBe(413);
  expect((await putPlan('nobody', svg, 'image/svg+xml')).statusCode).toBe(404);
});
