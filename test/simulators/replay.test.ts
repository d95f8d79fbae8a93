import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Archive } from './archive.ts';
import { readFrameStamps } from './frame-stamp.ts';
import { startHospital, type Hospital } from './hospital.ts';
import { ownSubnet } from './testing/hospital.ts';
import { RtspClient } from './testing/rtsp-client.ts';
import { soap, type SoapAnswer } from './testing/soap-client.ts';
import { child, children, textAt } from './xml.ts';

let hospital: Hospital;
let archive: Archive;

beforeAll(async () => {
  const options = { subnet: ownSubnet(4), devices: ['nvr-01'], archive: { minutes: 1, channels: 4 } };
  hospital = await startHospital(options);
  archive = hospital.archive!;
});
afterAll(() => hospital.close());

const ask = (service: string, body: string): Promise<SoapAnswer> =>
  soap(`${hospital.device('nvr-01').baseUrl}/onvif/${service}_service`, body, hospital.credentials);

/** All pages of a search. */
async function results(operation: string, token: string): Promise<SoapAnswer[]> {
  const pages: SoapAnswer[] = [];
  for (;;) {
    const page = await ask(
      'search',
      `<tse:${operation}><tse:SearchToken>${token}</tse:SearchToken></tse:${operation}>`,
    );
    pages.push(page);
    if (textAt(page.element, `${operation}Response`, 'ResultList', 'SearchState') === 'Completed')
      return pages;
    expect(pages.length).toBeLessThan(50);
  }
}

const clock = (at: number): string => new Date(at).toISOString().replace(/[-:]/g, '');

async function replay(
  fromAt: number,
  untilAt: number,
): Promise<{ status: number; times: number[]; range: string | undefined }> {
  const { token } = archive.recordings[0]!;
  const uri = await ask(
    'replay',
    `<trp:GetReplayUri><trp:StreamSetup><tt:Stream>RTP-Unicast</tt:Stream><tt:Transport><tt:Protocol>RTSP</tt:Protocol></tt:Transport></trp:StreamSetup><trp:RecordingToken>${token}</trp:RecordingToken></trp:GetReplayUri>`,
  );
  const url = textAt(uri.element, 'GetReplayUriResponse', 'Uri')!;
  const client = await RtspClient.open(url, hospital.credentials);
  const need = { Require: 'onvif-replay' };
  const range = { ...need, Range: `clock=${clock(fromAt)}-${clock(untilAt)}`, 'Rate-Control': 'no' };
  const answer = await client.play(url, range, need);
  let count = -1;
  await expect
    .poll(
      () => {
        const isQuiet = client.packets.length > 0 && client.packets.length === count;
        count = client.packets.length;
        return isQuiet;
      },
      { interval: 200, timeout: 5_000 },
    )
    .toBe(true);
  client.close();
  const times = client.packets.filter((p) => p.marker).map((p) => Math.round(p.ntpAt!));
  return { status: answer.status, times, range: answer.headers['range'] };
}

describe('the NVR’s archive', () => {
  it('the file’s stamps are its channel’s, and jump where the gap is', async () => {
    const { file, number, spans } = archive.recordings[1]!;
    const stamps = await readFrameStamps(file);
    expect(new Set(stamps.map((s) => s?.cameraId))).toEqual(new Set([number]));
    for (const s of stamps) expect(s!.ptsS).toBeCloseTo(s!.frame / archive.fps, 2);
    const jump = stamps.findIndex((s, i) => i > 0 && s!.frame - stamps[i - 1]!.frame > 1);
    expect(archive.startAt + stamps[jump]!.ptsS * 1000).toBe(spans[1]!.startAt);
  });

  it('lists, sums up and finds its recordings page by page', async () => {
    const listed = await ask('recording', '<trc:GetRecordings/>');
    expect(children(child(listed.element, 'GetRecordingsResponse'), 'RecordingItem')).toHaveLength(4);
    const summary = await ask('search', '<tse:GetRecordingSummary/>');
    const sum = child(child(summary.element, 'GetRecordingSummaryResponse'), 'Summary');
    expect(Date.parse(textAt(sum, 'DataFrom')!)).toBe(archive.startAt);
    const found = await ask(
      'search',
      '<tse:FindRecordings><tse:Scope/><tse:KeepAliveTime>PT30S</tse:KeepAliveTime></tse:FindRecordings>',
    );
    const token = textAt(found.element, 'FindRecordingsResponse', 'SearchToken')!;
    const pages = await results('GetRecordingSearchResults', token);
    expect(pages.length).toBeGreaterThan(1);
    const tokens = pages.flatMap(({ text }) =>
      [...text.matchAll(/<tt:RecordingToken>([^<]+)/g)].map((m) => m[1]),
    );
    expect(tokens).toEqual(archive.recordings.map((r) => r.token));
    const end = `<tse:EndSearch><tse:SearchToken>${token}</tse:SearchToken></tse:EndSearch>`;
    expect((await ask('search', end)).status).toBe(200);
    expect((await ask('search', end)).fault?.subcode).toBe('ter:InvalidToken');
  });

  it('tells by events where footage begins and ends', async () => {
    const { token, spans } = archive.recordings[0]!;
    const [from, until] = [spans[0]!.startAt - 1000, spans[1]!.endAt + 1000].map((at) =>
      new Date(at).toISOString(),
    );
    const found = await ask(
      'search',
      `<tse:FindEvents><tse:StartPoint>${from}</tse:StartPoint><tse:EndPoint>${until}</tse:EndPoint><tse:Scope><tt:IncludedRecordings>${token}</tt:IncludedRecordings></tse:Scope><tse:SearchFilter/><tse:IncludeStartState>true</tse:IncludeStartState><tse:KeepAliveTime>PT30S</tse:KeepAliveTime></tse:FindEvents>`,
    );
    const search = textAt(found.element, 'FindEventsResponse', 'SearchToken')!;
    const text = (await results('GetEventSearchResults', search)).map((p) => p.text).join('');
    const events = [...text.matchAll(/<tt:Time>([^<]+)<[\s\S]*?Name="IsDataPresent" Value="(\w+)"/g)].map(
      (m) => [Date.parse(m[1]!), m[2]],
    );
    expect(events).toEqual([
      [spans[0]!.startAt - 1000, 'false'],
      ...spans.flatMap((s) => [
        [s.startAt, 'true'],
        [s.endAt, 'false'],
      ]),
    ]);
  });

  it('replays exactly the time asked for, with each packet’s UTC', async () => {
    const from = archive.startAt + 5_000;
    const { status, times, range } = await replay(from, from + 6_000);
    expect(status).toBe(200);
    expect(range).toBe(`clock=${clock(from).replace('.000', '')}-${clock(from + 6_000).replace('.000', '')}`);
    expect(times[0]).toBe(from);
    expect(times).toHaveLength(30);
    expect(times.at(-1)).toBe(from + 5_800);
  });

  it('skips the gap without filling it', async () => {
    const [first, second] = archive.recordings[0]!.spans;
    const { times } = await replay(first!.endAt - 3_000, second!.startAt + 3_000);
    const inGap = times.filter((at) => at >= first!.endAt && at < second!.startAt);
    expect(inGap).toEqual([]);
    expect(times.filter((at) => at < first!.endAt)).toHaveLength(15);
    expect(times.filter((at) => at >= second!.startAt)).toHaveLength(15);
  });
});
