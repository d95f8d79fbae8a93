import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { SimDevice } from './device.ts';
import { startHospital, type Hospital } from './hospital.ts';
import { liveStamps, ownSubnet, urlWithPassword } from './testing/hospital.ts';
import { RtspClient } from './testing/rtsp-client.ts';
import { soap } from './testing/soap-client.ts';
import { textAt } from './xml.ts';

const run = promisify(execFile);
let hospital: Hospital;
let cam: SimDevice;

beforeAll(async () => {
  hospital = await startHospital({ subnet: ownSubnet(1), devices: ['cam-01', 'cam-13'], archive: false });
  cam = hospital.device('cam-01');
});
afterEach(() => hospital.clearFaults('cam-01'));
afterAll(() => hospital.close());

const information = '<tds:GetDeviceInformation/>';
const rtspUrl = (): string => cam.rtspUrl(cam.streams[0]!);

/** ffmpeg's words about a few seconds of the sub stream, through a filter that reports. */
async function report(filter: string): Promise<string> {
  const input = [
    '-rtsp_transport',
    'tcp',
    '-timeout',
    '5000000',
    '-analyzeduration',
    '200000',
    '-t',
    '1.6',
    '-i',
    urlWithPassword(cam, 1),
  ];
  const { stderr } = await run(
    'ffmpeg',
    ['-hide_banner', '-nostdin', ...input, '-an', '-vf', filter, '-f', 'null', '-'],
    { timeout: 15_000 },
  );
  return stderr;
}

async function meanLuma(): Promise<number> {
  const text = await report('signalstats,metadata=print');
  const means = [...text.matchAll(/signalstats\.YAVG=([\d.]+)/g)].map((m) => Number(m[1]));
  expect(means.length).toBeGreaterThan(2);
  return means.reduce((a, b) => a + b) / means.length;
}

async function sharpness(): Promise<number> {
  const text = await report(
    'crop=iw:ih*0.8:0:ih*0.12,blurdetect=block_width=32:block_height=32:block_pct=80,metadata=print',
  );
  const values = [...text.matchAll(/lavfi\.blur=([\d.]+)/g)].map((m) => Number(m[1]));
  expect(values.length).toBeGreaterThan(2);
  return values.reduce((a, b) => a + b) / values.length;
}

describe('faults', () => {
  it('drop: HTTP and RTSP refuse connections, running sessions end, all is back afterwards', async () => {
    const client = await RtspClient.open(rtspUrl(), hospital.credentials);
    expect((await client.play(rtspUrl())).status).toBe(200);
    await hospital.setFault('cam-01', { kind: 'drop' });
    await expect.poll(() => client.isClosed, { timeout: 3_000 }).toBe(true);
    await expect(RtspClient.open(rtspUrl(), hospital.credentials)).rejects.toThrow('ECONNREFUSED');
    await expect(soap(cam.xaddr, information)).rejects.toThrow('ECONNREFUSED');
    await hospital.clearFaults('cam-01');
    expect((await soap(cam.xaddr, information, hospital.credentials)).status).toBe(200);
    expect((await liveStamps(cam, 1)).filter((s) => s === null)).toEqual([]);
  });

  it('freeze: frames keep coming with one counter', async () => {
    await hospital.setFault('cam-01', { kind: 'freeze' });
    const stamps = await liveStamps(cam, 1);
    expect(new Set(stamps.map((s) => s!.frame)).size).toBe(1);
  });

  it('black, white and covered change the light; no stamp in a black picture', async () => {
    await hospital.setFault('cam-01', { kind: 'black' });
    expect(await meanLuma()).toBeLessThan(20);
    expect(new Set(await liveStamps(cam, 1, { maxFrames: 3 }))).toEqual(new Set([null]));
    await hospital.clearFaults('cam-01');
    await hospital.setFault('cam-01', { kind: 'white' });
    expect(await meanLuma()).toBeGreaterThan(225);
    await hospital.clearFaults('cam-01');
    await hospital.setFault('cam-01', { kind: 'covered' });
    expect(await meanLuma()).toBeLessThan(60);
    expect((await liveStamps(cam, 1, { maxFrames: 3 }))[2]?.cameraId).toBe(1);
  });

  it('blur: the scene is softer, the stamp stays readable', async () => {
    const before = await sharpness();
    await hospital.setFault('cam-01', { kind: 'blur' });
    expect(await sharpness()).toBeGreaterThan(before * 1.5);
    expect((await liveStamps(cam, 1, { maxFrames: 3 }))[2]?.cameraId).toBe(1);
  });

  it('clockSkew: the device tells the wrong time and refuses tokens made by the right one', async () => {
    await hospital.setFault('cam-01', { kind: 'clockSkew', skewMs: -3_600_000 });
    const { element } = await soap(cam.xaddr, '<tds:GetSystemDateAndTime/>');
    const utc = ['GetSystemDateAndTimeResponse', 'SystemDateAndTime', 'UTCDateTime'];
    const hour = Number(textAt(element, ...utc, 'Time', 'Hour'));
    expect(hour).toBe(new Date(Date.now() - 3_600_000).getUTCHours());
    const { fault } = await soap(cam.xaddr, information, hospital.credentials);
    expect(fault?.subcode).toBe('ter:NotAuthorized');
    const right = await soap(cam.xaddr, information, {
      ...hospital.credentials,
      createdAt: Date.now() - 3_600_000,
    });
    expect(right.status).toBe(200);
  });

  it('refusePassword: SOAP and RTSP refuse the right password', async () => {
    await hospital.setFault('cam-01', { kind: 'refusePassword' });
    expect((await soap(cam.xaddr, information, hospital.credentials)).fault?.subcode).toBe(
      'ter:NotAuthorized',
    );
    const client = await RtspClient.open(rtspUrl(), hospital.credentials);
    expect((await client.play(rtspUrl())).status).toBe(401);
    client.close();
  });

  it('lockout: the fault says that the account is locked', async () => {
    await hospital.setFault('cam-01', { kind: 'lockout' });
    expect((await soap(cam.xaddr, information, hospital.credentials)).fault?.reason).toContain('locked');
  });

  it('locks an account after five wrong passwords where the device has that trait', async () => {
    const { xaddr, stats } = hospital.device('cam-13');
    for (let i = 0; i < 5; i++) await soap(xaddr, information, { user: 'admin', password: `wrong ${i}` });
    expect((await soap(xaddr, information, hospital.credentials)).fault?.reason).toContain('locked');
    expect(stats.loginFailures).toBe(6);
    await hospital.clearFaults('cam-13');
    expect((await soap(xaddr, information, hospital.credentials)).status).toBe(200);
  });

  it('slow: HTTP and DESCRIBE wait', async () => {
    await hospital.setFault('cam-01', { kind: 'slow', delayMs: 700 });
    const beganAt = Date.now();
    await soap(cam.xaddr, '<tds:GetSystemDateAndTime/>');
    expect(Date.now() - beganAt).toBeGreaterThanOrEqual(690);
    const client = await RtspClient.open(rtspUrl(), hospital.credentials);
    const askedAt = Date.now();
    await client.request('DESCRIBE', rtspUrl());
    expect(Date.now() - askedAt).toBeGreaterThanOrEqual(690);
    client.close();
  });

  it('stall: packets stop half-way, the connection stays and still answers', async () => {
    const client = await RtspClient.open(rtspUrl(), hospital.credentials);
    await client.play(rtspUrl());
    await expect.poll(() => client.packets.length, { timeout: 3_000 }).toBeGreaterThan(5);
    await hospital.setFault('cam-01', { kind: 'stall', afterMs: 0 });
    await sleep(300);
    const count = client.packets.length;
    await sleep(1_500);
    expect(client.packets.length).toBe(count);
    expect((await client.request('OPTIONS', rtspUrl())).status).toBe(200);
    await hospital.clearFaults('cam-01');
    await expect.poll(() => client.packets.length, { timeout: 3_000 }).toBeGreaterThan(count);
    client.close();
  });

  it('noVideo: DESCRIBE, SETUP and PLAY succeed and no packet comes', async () => {
    await hospital.setFault('cam-01', { kind: 'noVideo' });
    const client = await RtspClient.open(rtspUrl(), hospital.credentials);
    expect((await client.play(rtspUrl())).status).toBe(200);
    await sleep(1_500);
    expect(client.packets).toEqual([]);
    client.close();
  });

  it('malformedSoap: a 200 whose XML is cut off', async () => {
    await hospital.setFault('cam-01', { kind: 'malformedSoap' });
    const answer = await soap(cam.xaddr, information, hospital.credentials);
    expect(answer.status).toBe(200);
    expect(answer.element).toBeUndefined();
    expect(answer.text).toMatch(/^<\?xml/);
  });

  it('changeAddress: gone from the old address, there on the new one, same endpoint reference', async () => {
    const { xaddr: old, endpointReference } = cam;
    await hospital.setFault('cam-01', { kind: 'changeAddress', host: 201 });
    await expect(soap(old, information)).rejects.toThrow('ECONNREFUSED');
    expect(cam.address).toMatch(/\.201$/);
    expect((await soap(cam.xaddr, information, hospital.credentials)).status).toBe(200);
    expect((await liveStamps(cam, 1, { maxFrames: 3 }))[2]?.cameraId).toBe(1);
    expect(cam.endpointReference).toBe(endpointReference);
  });
});
