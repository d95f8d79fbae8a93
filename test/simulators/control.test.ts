import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startControl, type Control } from './control.ts';
import { startHospital, type Hospital } from './hospital.ts';
import { ownSubnet } from './testing/hospital.ts';

let hospital: Hospital;
let control: Control;

beforeAll(async () => {
  hospital = await startHospital({ subnet: ownSubnet(5), devices: ['cam-01'], archive: false });
  control = await startControl(hospital);
});
afterAll(async () => {
  await control.close();
  await hospital.close();
  await hospital.close(); // safe to repeat
});

const post = (body: unknown, type = 'application/json'): Promise<Response> =>
  fetch(`${control.url}/devices/cam-01/fault`, {
    method: 'POST',
    headers: { 'content-type': type },
    body: JSON.stringify(body),
  });

describe('control', () => {
  it('lists devices, sets and clears faults', async () => {
    const list = (await (await fetch(`${control.url}/devices`)).json()) as { id: string }[];
    expect(list.map((d) => d.id)).toEqual(['cam-01']);
    expect((await post({ kind: 'slow', delayMs: 50 })).status).toBe(200);
    expect(hospital.device('cam-01').faults.list()).toEqual([{ kind: 'slow', delayMs: 50 }]);
    await post({ kind: 'freeze' });
    await fetch(`${control.url}/devices/cam-01/fault/slow`, { method: 'DELETE' });
    expect(hospital.device('cam-01').faults.list()).toEqual([{ kind: 'freeze' }]);
    await fetch(`${control.url}/devices/cam-01/fault`, { method: 'DELETE' });
    expect(hospital.device('cam-01').faults.list()).toEqual([]);
  });

  it('refuses unknown faults, values out of range and foreign forms', async () => {
    expect((await post({ kind: 'explode' })).status).toBe(400);
    expect((await post({ kind: 'slow', delayMs: 1e9 })).status).toBe(400);
    expect((await post({ kind: 'freeze' }, 'text/plain')).status).toBe(405);
    expect((await fetch(`${control.url}/devices/nobody/fault`, { method: 'DELETE' })).status).toBe(404);
    expect(hospital.device('cam-01').faults.list()).toEqual([]);
  });

  it('serves a page with both languages', async () => {
    expect(await (await fetch(control.url)).text()).toContain('模拟医院控制台 · Simulated hospital');
  });
});
