import { afterEach, describe, expect, it } from 'vitest';
import { silentLog } from '#media/log.ts';
import { openDevice, type DeviceOptions } from './device.ts';
import {
  profile1,
  profile2,
  servicesAnswer,
  startTestDevice,
  type TestDevice,
  type TestDeviceOptions,
} from './test-device.ts';

const open: TestDevice[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((device) => device.close()));
});

async function start(options: TestDeviceOptions = {}): Promise<TestDevice> {
  const device = await startTestDevice(options);
  open.push(device);
  return device;
}

const login = { username: 'admin', password: 'secret' };
const face = (device: TestDevice, options: Partial<DeviceOptions> & { credentials?: typeof login } = {}) =>
  openDevice(
    { xaddr: device.xaddr, credentials: options.credentials ?? login },
    { log: silentLog, ...options },
  );

describe('log-in', () => {
  it('uses node-onvif-ts once the device has asked for a token over plain HTTP', async () => {
    const device = await start({ auth: 'ws' });
    const information = await face(device).getInformation();
    expect(information).toEqual({
      manufacturer: 'Weitek 维泰',
      model: 'D-1',
      firmwareVersion: '1.10',
      serialNumber: '12345678901234567890',
      hardwareId: '1e3',
    });
    expect(device.requests.map(({ operation, client, hasToken }) => [operation, client, hasToken])).toEqual([
      ['GetSystemDateAndTime', 'own', false],
      ['GetDeviceInformation', 'own', false],
      ['GetDeviceInformation', 'node-onvif-ts', true],
    ]);
  });

  it.each(['MD5', 'SHA-256'] as const)(
    'answers HTTP Digest with %s and counts the uses of a nonce',
    async (algorithm) => {
      const device = await start({ auth: 'digest', algorithm });
      const camera = face(device);
      await camera.getInformation();
      await camera.getNetwork();
      await camera.listChannels();
      expect(camera.authMode).toBe('http-digest');
      expect(device.requests.every(({ hasToken }) => !hasToken)).toBe(true);
      const counts = device.requests.flatMap(
        ({ authorization }) => /nc=(\w+)/.exec(authorization ?? '')?.[1] ?? [],
      );
      expect(counts.slice(0, 3)).toEqual(['00000001', '00000002', '00000003']);
    },
  );

  it.each([
    ['both', ['GetProfiles', 'GetStreamUri', 'GetStreamUri'], 3],
    // It says so and then refuses: one refusal, then Digest for good.
    ['digest', ['GetProfiles'], 1],
  ] as const)(
    'a device with log-in %s that says it takes tokens is asked by node-onvif-ts after Digest has proven the password',
    async (auth, used, tokens) => {
      const device = await start({ auth });
      device.answers['GetServiceCapabilities'] =
        '<tds:GetServiceCapabilitiesResponse><tds:Capabilities><tds:Security UsernameToken="true" HttpDigest="true"/></tds:Capabilities></tds:GetServiceCapabilitiesResponse>';
      const camera = face(device);
      await camera.getInformation();
      expect((await camera.listChannels()).channels[0]?.streams).toHaveLength(2);
      expect(
        device.requests.filter(({ client }) => client === 'node-onvif-ts').map(({ operation }) => operation),
      ).toEqual(used);
      expect(device.requests.filter(({ hasToken }) => hasToken)).toHaveLength(tokens);
    },
  );

  it('never sends a token to a device that asked for Digest while the password is unproven', async () => {
    const device = await start({ auth: 'both', password: 'other' });
    device.answers['GetServiceCapabilities'] =
      '<tds:GetServiceCapabilitiesResponse><tds:Capabilities><tds:Security UsernameToken="true"/></tds:Capabilities></tds:GetServiceCapabilitiesResponse>';
    await expect(face(device).getInformation()).rejects.toMatchObject({ code: 'unauthorized' });
    expect(device.requests.filter(({ hasToken, authorization }) => hasToken || authorization)).toHaveLength(
      1,
    );
  });

  it.each([-3_600_000 * 8, 40_000, 86_400_000 * 31])(
    'logs in to a strict device whose clock is %i ms off',
    async (skewMs) => {
      const device = await start({ auth: 'ws', skewMs });
      expect((await face(device).getInformation()).model).toBe('D-1');
    },
  );

  it('escapes a user name with XML characters and leaves node-onvif-ts out of it', async () => {
    const username = `ops<&"'>`;
    const device = await start({ auth: 'ws', username, password: 'a&b<c' });
    expect(
      (await face(device, { credentials: { username, password: 'a&b<c' } }).getInformation()).model,
    ).toBe('D-1');
    expect(device.requests.every(({ client }) => client === 'own')).toBe(true);
  });

  it('risks at most two refused log-ins, then refuses by itself', async () => {
    const device = await start({ auth: 'ws', password: 'other' });
    const camera = face(device);
    for (let call = 0; call < 5; call += 1) {
      await expect(camera.getInformation()).rejects.toMatchObject({ code: 'unauthorized' });
    }
    expect(device.requests.filter(({ hasToken }) => hasToken)).toHaveLength(2);
  });

  it('does not take an open answer for proof of the password', async () => {
    const device = await start({ auth: 'ws', password: 'other' });
    const camera = face(device);
    for (let call = 0; call < 4; call += 1) {
      await expect(camera.getInformation()).rejects.toMatchObject({ code: 'unauthorized' });
      await camera.getServices();
      await expect(camera.listChannels()).rejects.toMatchObject({ code: 'unauthorized' });
    }
    expect(
      device.requests.filter(({ hasToken, operation }) => hasToken && operation !== 'GetServices'),
    ).toHaveLength(2);
  });

  it('never answers Basic over plain HTTP', async () => {
    const device = await start({ auth: 'basic' });
    await expect(face(device).getInformation()).rejects.toMatchObject({
      code: 'not-supported',
      details: { isBasicOnly: true },
    });
    expect(device.requests.every(({ authorization }) => authorization === undefined)).toBe(true);
  });
});

describe('channels', () => {
  it('gives one channel with main and sub, through node-onvif-ts, with full RTSP addresses', async () => {
    const device = await start({ auth: 'ws' });
    const { channels, warnings } = await face(device).listChannels();
    expect(warnings).toEqual([]);
    const rate = {
      codec: 'H264',
      frameRateFps: 25,
      bitrateBps: 4_096_000,
      gopFrames: 50,
      hasAudio: false,
      media: 'media1',
    };
    expect(channels).toEqual([
      {
        sourceToken: 'src0',
        name: 'ICU src0',
        hasPtz: false,
        snapshotUri: `${device.origin}/snap.jpg?c=1`,
        streams: [
          {
            kind: 'main',
            profileToken: 'P1',
            width: 1920,
            height: 1080,
            rtspUri: `rtsp://127.0.0.1:${device.port}/live?p=P1&x=1`,
            ...rate,
          },
          {
            kind: 'sub',
            profileToken: 'P2',
            width: 640,
            height: 360,
            rtspUri: `rtsp://127.0.0.1:${device.port}/live?p=P2&x=1`,
            ...rate,
          },
        ],
      },
    ]);
    const used = device.requests
      .filter(({ client }) => client === 'node-onvif-ts')
      .map(({ operation }) => operation);
    expect(used).toEqual(['GetProfiles', 'GetStreamUri', 'GetStreamUri']);
  });

  it('reads a device that has only Media2', async () => {
    const device = await start({ auth: 'digest' });
    device.answers['GetServices'] = servicesAnswer({
      'http://www.onvif.org/ver20/media/wsdl': `${device.origin}/m2`,
    });
    device.answers['GetProfiles'] =
      `<tr2:GetProfilesResponse>${profile2({ token: 'A' })}${profile2({ token: 'B', size: [640, 480], encoding: 'H264' })}</tr2:GetProfilesResponse>`;
    device.answers['GetStreamUri'] =
      `<tr2:GetStreamUriResponse><tr2:Uri>rtsp://user:pw@127.0.0.1/m2</tr2:Uri></tr2:GetStreamUriResponse>`;
    const { channels } = await face(device).listChannels();
    expect(channels[0]?.streams).toMatchObject([
      {
        profileToken: 'A',
        codec: 'H265',
        gopFrames: 40,
        bitrateBps: 2_048_000,
        hasAudio: true,
        rtspUri: 'rtsp://127.0.0.1/m2',
        media: 'media2',
      },
      { profileToken: 'B', codec: 'H264' },
    ]);
  });

  it('falls back from a broken Media2 to Media1, and from GetServices to GetCapabilities', async () => {
    const device = await start();
    device.answers['GetServices'] = '<tds:Nonsense/>';
    device.answers['GetCapabilities'] =
      `<tds:GetCapabilitiesResponse><tds:Capabilities><tt:Media><tt:XAddr>${device.origin}/m1</tt:XAddr></tt:Media></tds:Capabilities></tds:GetCapabilitiesResponse>`;
    expect((await face(device).listChannels()).channels).toHaveLength(1);

    const both = await start();
    both.answers['GetServices'] = servicesAnswer({
      'http://www.onvif.org/ver20/media/wsdl': `${both.origin}/m2`,
      'http://www.onvif.org/ver10/media/wsdl': `${both.origin}/m1`,
    });
    const media1 = both.answers['GetProfiles'] as string;
    both.answers['GetProfiles'] = ({ path }) => (path === '/m2' ? '<oops/>' : media1);
    expect((await face(both).listChannels()).channels[0]?.streams[0]?.media).toBe('media1');
  });

  it('a profile without RateControl, without token or without encoder hides only itself', async () => {
    const device = await start({ auth: 'ws' });
    device.answers['GetProfiles'] =
      `<trt:GetProfilesResponse>${profile1({ token: 'odd', rateControl: false })}<trt:Profiles><tt:Name>x</tt:Name></trt:Profiles>` +
      `<trt:Profiles token="meta"><tt:Name>m</tt:Name></trt:Profiles>${profile1({ token: 'P2', size: [640, 360] })}</trt:GetProfilesResponse>`;
    const { channels, warnings } = await face(device).listChannels();
    expect(channels).toHaveLength(1);
    expect(channels[0]?.streams.map(({ profileToken, bitrateBps }) => [profileToken, bitrateBps])).toEqual([
      ['odd', undefined],
      ['P2', 4_096_000],
    ]);
    expect(warnings).toHaveLength(2);
  });

  it('an NVR with 8 sources gives 8 channels, and a source without address is left out with a warning', async () => {
    const device = await start({ auth: 'ws' });
    const profiles = Array.from(
      { length: 8 },
      (_, n) =>
        profile1({ token: `m${n}`, source: `s${n}` }) +
        profile1({ token: `n${n}`, source: `s${n}`, size: [352, 288] }),
    );
    device.answers['GetProfiles'] = `<trt:GetProfilesResponse>${profiles.join('')}</trt:GetProfilesResponse>`;
    const uri = device.answers['GetStreamUri'] as (request: { body: string }) => string;
    device.answers['GetStreamUri'] = (request) =>
      />(m3|n3)</.test(request.body) ? '<trt:GetStreamUriResponse/>' : uri(request);
    const { channels, warnings } = await face(device).listChannels();
    expect(channels.map(({ sourceToken }) => sourceToken)).toEqual([
      's0',
      's1',
      's2',
      's4',
      's5',
      's6',
      's7',
    ]);
    expect(channels.every(({ streams }) => streams.length === 2)).toBe(true);
    expect(warnings).toContainEqual({ code: 'source-without-address', values: { source: 's3' } });
  });

  it('replaces hosts the device may not name, and keeps those inside the camera networks', async () => {
    const device = await start({ auth: 'ws' });
    device.answers['GetStreamUri'] =
      '<trt:GetStreamUriResponse><trt:MediaUri><tt:Uri>rtsp://0.0.0.0:554/a</tt:Uri></trt:MediaUri></trt:GetStreamUriResponse>';
    device.answers['GetSnapshotUri'] =
      '<trt:GetSnapshotUriResponse><trt:MediaUri><tt:Uri>http://evil.example/s</tt:Uri></trt:MediaUri></trt:GetSnapshotUriResponse>';
    const replaced = await face(device).listChannels();
    expect(replaced.channels[0]?.streams[0]?.rtspUri).toBe('rtsp://127.0.0.1:554/a');
    expect(replaced.channels[0]?.snapshotUri).toBe(`${device.origin}/s`);
    expect(replaced.warnings).toHaveLength(2);
    device.answers['GetStreamUri'] =
      '<trt:GetStreamUriResponse><trt:MediaUri><tt:Uri>rtsp://10.9.0.7/a</tt:Uri></trt:MediaUri></trt:GetStreamUriResponse>';
    expect(
      (await face(device, { networks: ['10.9.0.0/16'] }).listChannels()).channels[0]?.streams[0]?.rtspUri,
    ).toBe('rtsp://10.9.0.7/a');
  });

  it('a snapshot question that hangs costs its deadline, not the camera', async () => {
    const device = await start({ auth: 'ws', answers: { GetSnapshotUri: () => undefined } });
    const { channels } = await face(device, { deadlineMs: 300 }).listChannels();
    expect(channels[0]?.streams).toHaveLength(2);
    expect(channels[0]?.snapshotUri).toBeUndefined();
  });
});

describe('snapshot', () => {
  it('logs in by Digest without ever sending Basic', async () => {
    const device = await start({ auth: 'digest' });
    const picture = await face(device).getSnapshot({ snapshotUri: `${device.origin}/snap.jpg?c=1` });
    expect([...picture.subarray(0, 2)]).toEqual([0xff, 0xd8]);
    expect(device.requests.map(({ authorization }) => authorization?.slice(0, 16))).toEqual([
      undefined,
      'Digest username=',
    ]);
  });

  it('says plainly that there is none, that it is no picture, or that it wants Basic', async () => {
    const device = await start();
    device.answers['GET /none'] = (_, raw) => void raw.writeHead(404).end();
    device.answers['GET /html'] = (_, raw) => void raw.writeHead(200).end('<html>');
    const camera = face(device);
    await expect(camera.getSnapshot({ snapshotUri: `${device.origin}/none` })).rejects.toMatchObject({
      code: 'not-supported',
    });
    await expect(camera.getSnapshot({ snapshotUri: `${device.origin}/html` })).rejects.toMatchObject({
      code: 'no-media',
    });
    await expect(camera.getSnapshot({})).rejects.toMatchObject({ code: 'not-supported' });
    const basic = await start({ auth: 'basic' });
    await expect(
      face(basic).getSnapshot({ snapshotUri: `${basic.origin}/snap.jpg?c=1` }),
    ).rejects.toMatchObject({
      details: { isBasicOnly: true },
    });
    expect(basic.requests.every(({ authorization }) => authorization === undefined)).toBe(true);
  });
});

describe('identity', () => {
  it('prefers the serial, and knows the MAC and the endpoint reference as well', async () => {
    const device = await start({ auth: 'ws' });
    expect(await face(device).getIdentity()).toEqual({
      kind: 'serial',
      key: 'serial:Weitek 维泰/D-1/12345678901234567890',
      keys: ['serial:Weitek 维泰/D-1/12345678901234567890', 'mac:00:1b:c5:00:00:0a', 'epr:abc-1'],
    });
  });
});

const ok = (name: string) => `<p:${name}Response xmlns:p="http://www.onvif.org/ver20/ptz/wsdl"/>`;

describe('PTZ', () => {
  it('moves, stops, and lists presets', async () => {
    const device = await start({ auth: 'ws' });
    Object.assign(device.answers, {
      ContinuousMove: ok('ContinuousMove'),
      Stop: ok('Stop'),
      GotoPreset: ok('GotoPreset'),
      GetPresets:
        '<p:GetPresetsResponse xmlns:p="http://www.onvif.org/ver20/ptz/wsdl"><p:Preset token="1"><tt:Name>门口</tt:Name></p:Preset><p:Preset token="02"/></p:GetPresetsResponse>',
    });
    const { ptz } = face(device);
    await ptz.continuousMove('P1', { pan: 0.5, tilt: -1, zoom: 0 }, 2);
    await ptz.stop('P1');
    expect(await ptz.listPresets('P1')).toEqual([{ token: '1', name: '门口' }, { token: '02' }]);
    await ptz.gotoPreset('P1', '02');
    await ptz.gotoPreset('P1', 'a&b');
    await expect(ptz.continuousMove('P1', { pan: 2, tilt: 0, zoom: 0 }, 2)).rejects.toMatchObject({
      code: 'rejected',
    });
    const sent = device.requests.filter(({ hasToken, path }) => hasToken && path === '/onvif/ptz');
    expect(sent.map(({ operation, client }) => `${operation} ${client}`)).toEqual([
      'ContinuousMove node-onvif-ts',
      'Stop node-onvif-ts',
      'GetPresets node-onvif-ts',
      'GotoPreset node-onvif-ts',
      'GotoPreset own',
    ]);
    expect(sent[0]?.body).toContain('<tt:PanTilt x="0.5" y="-1">');
    expect(sent[4]?.body).toContain('<tptz:PresetToken>a&#38;b<');
  });
});
