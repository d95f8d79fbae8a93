import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startHospital, type Hospital } from './hospital.ts';
import { liveStamps, ownSubnet, urlWithPassword } from './testing/hospital.ts';

const run = promisify(execFile);
let hospital: Hospital;

beforeAll(async () => {
  hospital = await startHospital({ subnet: ownSubnet(0), archive: false });
});
afterAll(() => hospital.close());

interface Probed {
  streams: { codec_name: string; has_b_frames?: number; width?: number; sample_rate?: string }[];
}

async function probe(id: string, index: number): Promise<Probed> {
  const url = urlWithPassword(hospital.device(id), index);
  const { stdout } = await run(
    'ffprobe',
    [
      '-v',
      'error',
      '-rtsp_transport',
      'tcp',
      '-analyzeduration',
      '1000000',
      '-show_streams',
      '-of',
      'json',
      url,
    ],
    { timeout: 20_000 },
  );
  return JSON.parse(stdout) as Probed;
}

const open = (url: string): Promise<unknown> =>
  run('ffprobe', ['-v', 'error', '-rtsp_transport', 'tcp', url]);

describe('streams', () => {
  const kinds: [what: string, id: string, index: number, transport: 'tcp' | 'udp'][] = [
    ['H.264 main', 'cam-01', 0, 'tcp'],
    ['H.264 sub over UDP', 'cam-02', 1, 'udp'],
    ['H.265 main', 'cam-03', 0, 'tcp'],
    ['B-frames', 'cam-04', 0, 'tcp'],
    ['with G.711', 'cam-05', 0, 'tcp'],
    ['H.265 with AAC', 'cam-12', 0, 'tcp'],
    ['user and password with XML characters', 'cam-14', 1, 'tcp'],
    ['first channel of the NVR', 'nvr-01', 0, 'tcp'],
    ['sub stream of the last channel of the NVR', 'nvr-01', 15, 'tcp'],
  ];
  it.concurrent.each(kinds)(
    '%s: every frame carries its camera and a rising counter',
    async (_what, id, index, transport) => {
      const device = hospital.device(id);
      const stamps = await liveStamps(device, index, { transport, maxFrames: 8 });
      expect(stamps).toHaveLength(8);
      const stream = device.streams[index]!;
      expect(stamps.map((s) => s?.cameraId)).toEqual(Array(8).fill(stream.channel.number));
      const step = device.net.main.fps / stream.fps;
      const steps = stamps.slice(1).map((s, i) => s!.frame - stamps[i]!.frame);
      expect(Math.min(...steps)).toBeGreaterThanOrEqual(step);
    },
  );

  it('main and sub of a camera show the same counter at the same time', async () => {
    const device = hospital.device('cam-01');
    const [main, sub] = await Promise.all([
      liveStamps(device, 0, { maxFrames: 20 }),
      liveStamps(device, 1, { maxFrames: 10 }),
    ]);
    const shared = new Set(main.map((s) => s!.frame));
    expect(sub.some((s) => shared.has(s!.frame))).toBe(true);
  });

  it('has the codecs it announces', async () => {
    const [bFrames, g711, aac] = await Promise.all([
      probe('cam-04', 0),
      probe('cam-05', 0),
      probe('cam-12', 0),
    ]);
    expect(bFrames.streams[0]).toMatchObject({ codec_name: 'h264', width: 640 });
    expect(bFrames.streams[0]!.has_b_frames).toBeGreaterThan(0);
    expect(g711.streams.map((s) => s.codec_name)).toEqual(['h264', 'pcm_alaw']);
    expect(aac.streams.map((s) => s.codec_name)).toEqual(['hevc', 'aac']);
  });

  it('refuses a wrong and a missing password, and counts only the wrong one', async () => {
    const device = hospital.device('cam-07');
    const bare = device.rtspUrl(device.streams[0]!);
    const wrong = bare.replace('rtsp://', 'rtsp://admin:wrong@');
    await expect(open(bare)).rejects.toThrow('401');
    expect(device.stats.rtspLoginFailures).toBe(0);
    await expect(open(wrong)).rejects.toThrow('401');
    await expect.poll(() => device.stats.rtspLoginFailures).toBeGreaterThan(0);
    expect(device.stats.rtspPlays).toBe(0);
  });
});
