import { createSocket, type Socket } from 'node:dgram';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { silentLog } from '#media/log.ts';
import { discover, type DiscoveredDevice } from './discovery.ts';

const GROUP = '239.255.255.250';
const sockets: Socket[] = [];
afterEach(async () => {
  await Promise.all(sockets.splice(0).map((socket) => new Promise<void>((resolve) => socket.close(resolve))));
});

type Reply = (
  send: (datagram: string | Buffer) => void,
  probe: { id: string; number: number; types: string },
) => void;

/** A responder on the loopback group; `reply` is called for each probe. Returns the port it listens on. */
async function respond(reply: Reply, port = 0): Promise<number> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  sockets.push(socket);
  let number = 0;
  socket.on('message', (datagram, from) => {
    const text = datagram.toString();
    const id = /MessageID>([^<]+)</.exec(text)?.[1] ?? '';
    const types = /Types[^>]*>([^<]*)</.exec(text)?.[1] ?? '';
    reply((answer) => socket.send(answer, from.port, from.address), { id, number: number++, types });
  });
  await new Promise<void>((resolve) => socket.bind({ port, address: GROUP }, () => resolve()));
  socket.addMembership(GROUP, '127.0.0.1');
  return (socket.address() as AddressInfo).port;
}

const match = (reference: string, xaddrs: string, scopes = ''): string =>
  `<d:ProbeMatch><a:EndpointReference><a:Address>${reference}</a:Address></a:EndpointReference><d:Types>dn:NetworkVideoTransmitter tds:Device</d:Types>` +
  `<d:Scopes>${scopes}</d:Scopes><d:XAddrs>${xaddrs}</d:XAddrs></d:ProbeMatch>`;

const answer = (relatesTo: string, matches: string): string =>
  '<?xml version="1.0"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" ' +
  `xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><s:Header><a:RelatesTo>${relatesTo}</a:RelatesTo></s:Header><s:Body><d:ProbeMatches>${matches}</d:ProbeMatches></s:Body></s:Envelope>`;

const run = (port: number, more: Partial<Parameters<typeof discover>[0]> = {}) =>
  discover({
    networks: ['127.0.0.0/8'],
    interfaces: ['127.0.0.1'],
    port,
    durationMs: 800,
    log: silentLog,
    ...more,
  });

describe('discover', () => {
  it('finds a fleet of 18 within its time, with two replies lost each, duplicates, strangers and a megabyte of garbage', async () => {
    const seen = new Map<number, number>();
    const port = await respond((send, { id, number }) => {
      if (number === 0) for (let n = 0; n < 16; n += 1) send(Buffer.alloc(60_000, 'ProbeMatch <'));
      send('lollipop');
      send(answer(id, '<d:ProbeMatch>').slice(0, 300));
      send(answer('urn:uuid:somebody-else', match('urn:uuid:foreign', 'http://127.0.0.1/x')));
      for (let n = 0; n < 18; n += 1) {
        const count = seen.get(n) ?? 0;
        seen.set(n, count + 1);
        if (count < 2) continue;
        for (let copy = 0; copy < 2; copy += 1)
          send(answer(id, match(`urn:uuid:cam-${n}`, `http://127.0.0.${n + 1}/onvif/device_service`)));
      }
    });
    const startedAt = Date.now();
    const found: string[] = [];
    const result = await run(port, { onFound: (device) => void found.push(device.endpointReference ?? '') });
    expect(Date.now() - startedAt).toBeLessThan(1_500);
    expect(result.devices).toHaveLength(18);
    expect(new Set(found).size).toBe(18);
    expect(result.devices.map(({ xaddrs }) => xaddrs[0]?.url).slice(0, 2)).toEqual([
      'http://127.0.0.1/onvif/device_service',
      'http://127.0.0.2/onvif/device_service',
    ]);
    expect(result.probesSent).toBe(12);
    // Datagrams get lost on a busy machine: none may be counted that was not sent.
    expect(result.replies).toBeGreaterThan(18);
    expect(result.replies).toBeLessThanOrEqual(10 * 18 * 2);
    expect(result.foreign).toBeGreaterThan(0);
    expect(result.foreign).toBeLessThanOrEqual(12);
    expect(result.malformed).toBeGreaterThan(0);
  });

  it('asks with three kinds of probe, each with an identifier of its own', async () => {
    const probes: { id: string; types: string }[] = [];
    const port = await respond((_, probe) => void probes.push(probe));
    const result = await run(port, { durationMs: 300 });
    expect(result.devices).toEqual([]);
    expect(new Set(probes.map(({ types }) => types))).toEqual(
      new Set(['dn:NetworkVideoTransmitter', 'tds:Device', '']),
    );
    expect(new Set(probes.map(({ id }) => id)).size).toBe(probes.length);
  });

  it('reads every match of a datagram, decodes scopes and merges the addresses of one device', async () => {
    const port = await respond((send, { id, number }) => {
      const scopes =
        'onvif://www.onvif.org/name/ICU%20North onvif://www.onvif.org/location/%E4%BD%8F%E9%99%A2%E9%83%A8 onvif://www.onvif.org/hardware/D%2D1 onvif://www.onvif.org/location/3%';
      const second = match('uuid:B', `http://127.0.0.2:${80 + (number % 2)}/onvif/device_service`);
      send(
        answer(
          id.toUpperCase(),
          match('urn:uuid:A', 'http://127.0.0.1/onvif/device_service', scopes) + second,
        ),
      );
    });
    const { devices } = await run(port);
    expect(devices).toHaveLength(2);
    expect(devices[0]).toMatchObject({
      endpointReference: 'a',
      name: 'ICU North',
      location: '住院部, 3%',
      hardware: 'D-1',
      isTrusted: true,
    });
    expect(devices[0]?.types).toEqual(['NetworkVideoTransmitter', 'Device']);
    expect(devices[1]?.xaddrs.map(({ url }) => url)).toEqual([
      'http://127.0.0.2:80/onvif/device_service',
      'http://127.0.0.2:81/onvif/device_service',
    ]);
  });

  it('marks addresses outside the camera networks, by name or with a user, and notes a sender that is not the announced host', async () => {
    const bad =
      'http://10.0.0.5/onvif http://intranet.example/x ftp://127.0.0.1/ http://u:p@127.0.0.1/ http://127.0.0.1@10.0.0.9/';
    const port = await respond((send, { id }) => send(answer(id, match('urn:uuid:evil', bad))));
    const [device] = (await run(port)).devices as [DiscoveredDevice];
    expect(device.isTrusted).toBe(false);
    expect(device.xaddrs.map(({ isTrusted }) => isTrusted)).toEqual([false, false, false, false, false]);
    expect(device.xaddrs.map(({ reason }) => reason)).toEqual([
      'it lies outside the camera networks',
      'it is not an IPv4 address',
      'it is not an HTTP address',
      'it carries a user name',
      'it carries a user name',
    ]);
    const far = await respond((send, { id }) =>
      send(answer(id, match('urn:uuid:far', 'http://127.0.0.9/onvif'))),
    );
    expect((await run(far)).devices[0]?.notes).toEqual([
      'it answered from 127.0.0.1, which it does not announce',
    ]);
  });

  it('two runs at once do not disturb each other, and a stop returns what was found', async () => {
    const port = await respond((send, { id }) =>
      send(answer(id, match('urn:uuid:A', 'http://127.0.0.1/onvif'))),
    );
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 250);
    const startedAt = Date.now();
    const [whole, stopped] = await Promise.all([
      run(port),
      run(port, { durationMs: 10_000, signal: stop.signal }),
    ]);
    expect(Date.now() - startedAt).toBeLessThan(2_000);
    expect(whole.devices).toHaveLength(1);
    expect(stopped.devices).toHaveLength(1);
    expect(whole.foreign).toBe(0);
  });

  it('refuses a network that is none and a run without end', async () => {
    await expect(run(1, { networks: ['camera-net'] })).rejects.toMatchObject({ code: 'rejected' });
    await expect(run(1, { durationMs: 60_000 })).rejects.toMatchObject({ code: 'rejected' });
  });
});
