import { createSocket } from 'node:dgram';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DISCOVERY_PORT, MULTICAST_ADDRESS } from './discovery.ts';
import { startHospital, type Hospital } from './hospital.ts';
import { ownSubnet } from './testing/hospital.ts';
import { child, children, parseXml, textAt } from './xml.ts';

let hospital: Hospital;
const subnet = ownSubnet(3);
const none = {
  devices: ['cam-01', 'cam-03', 'cam-04', 'cam-10', 'nvr-01'],
  odd: true,
  archive: false,
} as const;

beforeAll(async () => {
  hospital = await startHospital({ subnet, ...none });
});
afterAll(() => hospital.close());

const ID = 'urn:uuid:7d9b6a0e-3f2c-4b8e-9d0a-1c2d3e4f5a6b';

interface Seen {
  from: string;
  relatesTo: string | undefined;
  matches: { reference: string; xaddr: string; types: string; scopes: string }[];
}

/** Probes by hand on the loopback interface; every reply of this hospital's devices, parsed, and the bytes of all others. */
async function probe(types: string): Promise<{ seen: Seen[]; garbageBytes: number }> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  socket.setMulticastInterface('127.0.0.1');
  socket.setRecvBufferSize(4 * 1024 * 1024);
  const seen: Seen[] = [];
  let garbageBytes = 0;
  socket.on('message', (data, from) => {
    if (!from.address.startsWith(`${subnet}.`)) return; // another hospital on this machine
    if (!data.subarray(0, 5).equals(Buffer.from('<?xml'))) {
      garbageBytes += data.length;
      return;
    }
    const envelope = child(parseXml(data.toString()), 'Envelope');
    const matches = children(child(child(envelope, 'Body'), 'ProbeMatches'), 'ProbeMatch').map((m) => ({
      reference: textAt(m, 'EndpointReference', 'Address')!,
      xaddr: textAt(m, 'XAddrs')!,
      types: textAt(m, 'Types')!,
      scopes: textAt(m, 'Scopes')!,
    }));
    seen.push({ from: from.address, relatesTo: textAt(envelope, 'Header', 'RelatesTo'), matches });
  });
  const text = `<?xml version="1.0"?><e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope" xmlns:w="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" xmlns:nvt="http://www.onvif.org/ver10/network/wsdl" xmlns:dev="http://www.onvif.org/ver10/device/wsdl"><e:Header><w:MessageID>${ID}</w:MessageID><w:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</w:To><w:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</w:Action></e:Header><e:Body><d:Probe>${types && `<d:Types>${types}</d:Types>`}</d:Probe></e:Body></e:Envelope>`;
  socket.send(text, DISCOVERY_PORT, MULTICAST_ADDRESS);
  await sleep(900);
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return { seen, garbageBytes };
}

const of = (seen: Seen[], id: string): Seen[] => seen.filter((s) => s.from === hospital.device(id).address);

describe('WS-Discovery', () => {
  it('every device answers the exact type, from its own address, with its endpoint and encoded names', async () => {
    const { seen, garbageBytes } = await probe('nvt:NetworkVideoTransmitter');
    for (const device of hospital.devices) {
      const [answer] = of(seen, device.id);
      expect(answer, device.id).toBeDefined();
      const own = answer!.matches.find((m) => m.reference === device.endpointReference);
      expect(own, device.id).toBeDefined();
      expect(own!.scopes).toContain(encodeURIComponent(device.spec.name));
      expect(own!.types.split(' ')).toEqual(['dn:NetworkVideoTransmitter', 'tds:Device']);
      if (device.id !== 'odd-relates') expect(answer!.relatesTo).toBe(ID);
      if (device.id !== 'odd-foreign') expect(own!.xaddr).toBe(device.xaddr);
    }
    expect(of(seen, 'cam-01')).toHaveLength(2); // sends duplicates
    expect(of(seen, 'cam-04')[0]!.matches).toHaveLength(2); // two matches in one datagram
    expect(of(seen, 'odd-relates')[0]!.relatesTo).not.toBe(ID);
    expect(of(seen, 'odd-foreign')[0]!.matches[0]!.xaddr).toContain('203.0.113.77');
    expect(garbageBytes).toBeGreaterThan(100_000);
  });

  it('a probe for everything or for devices is not answered by the camera that wants the exact type', async () => {
    for (const types of ['', 'dev:Device']) {
      const { seen } = await probe(types);
      expect(of(seen, 'cam-10')).toEqual([]);
      expect(of(seen, 'cam-03')).toHaveLength(1);
    }
    expect((await probe('nvt:Printer')).seen).toEqual([]);
  });

  it('loses as many answers as told, and counts the probes all the same', async () => {
    const before = hospital.stats('cam-03').probes;
    hospital.loseReplies('cam-03', 2);
    const found: number[] = [];
    for (let i = 0; i < 3; i++)
      found.push(of((await probe('nvt:NetworkVideoTransmitter')).seen, 'cam-03').length);
    expect(found).toEqual([0, 0, 1]);
    expect(hospital.stats('cam-03').probes).toBe(before + 3);
  });

  it('a camera that moves says Hello with the same endpoint and its new address', async () => {
    const device = hospital.device('nvr-01');
    const socket = createSocket({ type: 'udp4', reuseAddr: true });
    await new Promise<void>((resolve) => socket.bind(DISCOVERY_PORT, '0.0.0.0', resolve));
    socket.addMembership(MULTICAST_ADDRESS, '127.0.0.1');
    const heard: string[] = [];
    socket.on('message', (data) => heard.push(data.toString()));
    await hospital.setFault('nvr-01', { kind: 'changeAddress', host: 202 });
    const isHello = (m: string): boolean =>
      m.includes('discovery/Hello') && m.includes(device.endpointReference) && m.includes(`${subnet}.202:`);
    await expect.poll(() => heard.some(isHello)).toBe(true);
    socket.close();
  });
});
