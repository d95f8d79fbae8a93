import type { OnvifPort } from '#api/devices/onvif-port.ts';
import type { DeviceFacts, LearnResult } from '#media/onvif/learn.ts';

/** A device as the scripted network has it. */
export interface FakeDevice {
  host: string;
  serial: string;
  reference: string;
  password: string;
  /** Video sources it has now. */
  sources: string[];
  isUp: boolean;
  refusals: number;
}

/**
 * A network without packets, for rules that a real peer would not make clearer: devices can be moved, cloned and given other channels
 * between two calls. What depends on the wire is tested against the simulated hospital.
 */
export function createFakeOnvif() {
  const devices: FakeDevice[] = [];
  const calls: string[] = [];
  const xaddrOf = (device: FakeDevice) => `http://${device.host}/onvif/device_service`;
  const at = (xaddr: string) => devices.find((device) => device.isUp && xaddrOf(device) === xaddr);

  function factsOf(device: FakeDevice): DeviceFacts {
    const key = `serial:Maker/Model/${device.serial}`;
    return {
      xaddr: xaddrOf(device),
      refusedSets: 0,
      information: {
        manufacturer: 'Maker',
        model: 'Model',
        firmwareVersion: '1.10',
        serialNumber: device.serial,
      },
      services: {},
      clock: { deviceAt: 0, skewMs: -250, roundTripMs: 4, source: 'utc' },
      identity: { key, kind: 'serial', keys: [key, `epr:${device.reference}`] },
      network: [],
      warnings: [],
      channels: device.sources.map((sourceToken) => ({
        sourceToken,
        name: `Lens ${sourceToken}`,
        hasPtz: true,
        snapshotUri: `http://${device.host}/snapshot`,
        streams: (['main', 'sub'] as const).map((kind) => ({
          kind,
          profileToken: `${sourceToken}-${kind}`,
          codec: 'H264',
          width: kind === 'main' ? 1920 : 640,
          hasAudio: false,
          rtspUri: `rtsp://${device.host}:554/${sourceToken}/${kind}`,
          media: 'media2',
        })),
      })),
    };
  }

  const port: OnvifPort = {
    async discover({ onFound }) {
      for (const device of devices.filter((candidate) => candidate.isUp))
        onFound?.({
          endpointReference: device.reference,
          types: [],
          scopes: [],
          name: `Camera ${device.serial}`,
          xaddrs: [{ url: xaddrOf(device), isTrusted: true }],
          isTrusted: true,
          senders: [device.host],
          interfaces: ['eth0'],
          notes: [],
        });
      const counts = { probesSent: 12, replies: devices.length, malformed: 0, foreign: 0 };
      return { devices: [], interfaces: [{ name: 'eth0', address: '10.0.0.1', ...counts }], ...counts };
    },
    async scanRange({ ranges }) {
      const found = devices.filter((device) => device.isUp && ranges.includes(device.host));
      return found.map((device) => ({ address: device.host, port: 80, xaddr: xaddrOf(device) }));
    },
    async learnDevice({ xaddr }, { credentialSets, budget = { left: 2, max: 2 } }): Promise<LearnResult> {
      calls.push(`learn ${xaddr} ${credentialSets.length}`);
      const empty: DeviceFacts = { xaddr, refusedSets: 0, warnings: [] };
      const device = at(xaddr);
      if (!device)
        return { outcome: 'unreachable', reason: 'Nothing answers at this address.', facts: empty };
      for (const [index, { password }] of credentialSets.entries()) {
        if (password === device.password)
          return {
            outcome: 'ok',
            reason: '',
            facts: { ...factsOf(device), credentialSetIndex: index, refusedSets: index },
          };
        if (budget.left <= 0) break;
        budget.left -= 1;
        device.refusals += 1;
        empty.refusedSets += 1;
      }
      return {
        outcome: 'unauthorized',
        reason: 'The device refused the user names and passwords tried.',
        facts: empty,
      };
    },
    openDevice({ xaddr }) {
      return {
        async getSnapshot() {
          calls.push(`snapshot ${xaddr}`);
          return Buffer.from([0xff, 0xd8, 0xff, 0xd9]);
        },
        async *events({ signal }): AsyncGenerator<never, void, void> {
          // A quiet device: nothing happens until nobody listens any more.
          if (!signal.aborted)
            await new Promise((done) => signal.addEventListener('abort', done, { once: true }));
          yield* [];
        },
        ptz: {
          async continuousMove(token, _velocity, timeoutS) {
            calls.push(`move ${token} ${timeoutS}`);
          },
          async stop(token) {
            calls.push(`stop ${token}`);
          },
          listPresets: async () => [],
          gotoPreset: async () => undefined,
        },
      };
    },
  };

  return {
    port,
    /** What was asked, in order. */
    calls,
    add(host: string, serial: string, sources = ['1']): FakeDevice {
      const device = {
        host,
        serial,
        reference: `ref-${serial}`,
        password: 'Right#1234',
        sources,
        isUp: true,
        refusals: 0,
      };
      devices.push(device);
      return device;
    },
  };
}
