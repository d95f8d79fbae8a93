import { afterEach, describe, expect, it } from 'vitest';
import { silentLog } from '#media/log.ts';
import { openDevice } from './device.ts';
import { servicesAnswer, startTestDevice, type TestDevice } from './test-device.ts';

const open: TestDevice[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((device) => device.close()));
});

const T = Date.UTC(2025, 2, 1);
const iso = (minutes: number): string => new Date(T + minutes * 60_000).toISOString();
const at = (minutes: number): number => T + minutes * 60_000;
const SE =
  'xmlns:tse="http://www.onvif.org/ver10/search/wsdl" xmlns:wsnt="http://docs.oasis-open.org/wsn/b-2"';

const recording = (token: string): string =>
  `<tt:RecordingInformation><tt:RecordingToken>${token}</tt:RecordingToken><tt:Source><tt:SourceId>urn:${token}</tt:SourceId><tt:Name>病房 ${token}</tt:Name></tt:Source>` +
  `<tt:EarliestRecording>${iso(0)}</tt:EarliestRecording><tt:LatestRecording>${iso(60)}</tt:LatestRecording>` +
  `<tt:Track><tt:TrackToken>v-${token}</tt:TrackToken><tt:TrackType>Video</tt:TrackType><tt:DataFrom>${iso(0)}</tt:DataFrom><tt:DataTo>${iso(60).replace('Z', '')}</tt:DataTo></tt:Track></tt:RecordingInformation>`;

const change = (minutes: number, isPresent: boolean, track = 'VIDEO001'): string =>
  `<tt:Result><tt:RecordingToken>R1</tt:RecordingToken><tt:TrackToken>${track}</tt:TrackToken><tt:Time>${iso(minutes)}</tt:Time>` +
  '<tt:Event><wsnt:Topic>tns1:RecordingHistory/Track/State</wsnt:Topic><wsnt:Message><tt:Message UtcTime="x"><tt:Data>' +
  `<tt:SimpleItem Name="IsDataPresent" Value="${isPresent}"/></tt:Data></tt:Message></wsnt:Message></tt:Event><tt:StartStateEvent>false</tt:StartStateEvent></tt:Result>`;

async function start(pages: string[]) {
  const device = await startTestDevice({ auth: 'digest' });
  open.push(device);
  const page = (name: string) => () =>
    `<tse:${name}Response ${SE}><tse:ResultList><tt:SearchState>${pages.length > 1 ? 'Searching' : 'Completed'}</tt:SearchState>${pages.shift() ?? ''}</tse:ResultList></tse:${name}Response>`;
  Object.assign(device.answers, {
    GetServices: servicesAnswer({
      'http://www.onvif.org/ver10/search/wsdl': `${device.origin}/search`,
      'http://www.onvif.org/ver10/replay/wsdl': `${device.origin}/replay`,
      'http://www.onvif.org/ver10/recording/wsdl': `${device.origin}/rec`,
    }),
    FindRecordings: `<tse:FindRecordingsResponse ${SE}><tse:SearchToken>s&amp;1</tse:SearchToken></tse:FindRecordingsResponse>`,
    FindEvents: `<tse:FindEventsResponse ${SE}><tse:SearchToken>e1</tse:SearchToken></tse:FindEventsResponse>`,
    GetRecordingSearchResults: page('GetRecordingSearchResults'),
    GetEventSearchResults: page('GetEventSearchResults'),
    EndSearch: `<tse:EndSearchResponse ${SE}/>`,
    GetRecordingSummary: `<tse:GetRecordingSummaryResponse ${SE}><tse:Summary><tt:DataFrom>${iso(0)}</tt:DataFrom><tt:DataUntil>${iso(60)}</tt:DataUntil><tt:NumberRecordings>2</tt:NumberRecordings></tse:Summary></tse:GetRecordingSummaryResponse>`,
    GetReplayUri:
      '<trp:GetReplayUriResponse xmlns:trp="http://www.onvif.org/ver10/replay/wsdl"><trp:Uri>rtsp://0.0.0.0:8554/rec1</trp:Uri></trp:GetReplayUriResponse>',
    GetRecordings:
      '<trc:GetRecordingsResponse xmlns:trc="http://www.onvif.org/ver10/recording/wsdl"><trc:RecordingItem><tt:RecordingToken>R1</tt:RecordingToken><tt:Configuration><tt:Source><tt:SourceId>a</tt:SourceId><tt:Name>n</tt:Name></tt:Source></tt:Configuration>' +
      '<tt:Tracks><tt:Track><tt:TrackToken>V</tt:TrackToken><tt:Configuration><tt:TrackType>Video</tt:TrackType></tt:Configuration></tt:Track></tt:Tracks></trc:RecordingItem></trc:GetRecordingsResponse>',
  });
  const { archive } = openDevice(
    { xaddr: device.xaddr, credentials: { username: 'admin', password: 'secret' } },
    { log: silentLog },
  );
  return { device, archive };
}

describe('archive', () => {
  it('pages through a search until it is completed, then ends it', async () => {
    const { device, archive } = await start([recording('R1'), '', recording('R2')]);
    const found = await archive.findRecordings();
    expect(found.map(({ token }) => token)).toEqual(['R1', 'R2']);
    expect(found[0]).toEqual({
      token: 'R1',
      sourceId: 'urn:R1',
      name: '病房 R1',
      tracks: [{ token: 'v-R1', kind: 'video', fromDeviceAt: at(0), untilDeviceAt: at(60) }],
      fromDeviceAt: at(0),
      untilDeviceAt: at(60),
    });
    expect(device.operations().at(-1)).toBe('EndSearch');
    expect(device.requests.at(-1)?.body).toContain('s&#38;1');
  });

  it('makes spans of the events of the video track, cut to the range asked', async () => {
    const { archive } = await start([
      change(-5, true) + change(-5, true, 'AUDIO001') + change(10, false),
      change(20, true) +
        change(22, false, 'AUDIO001') +
        change(30, false) +
        change(40, true) +
        change(99, false),
    ]);
    expect(await archive.findCoverage('R1', { fromDeviceAt: at(0), untilDeviceAt: at(50) })).toEqual({
      isExact: true,
      spans: [
        { fromDeviceAt: at(0), untilDeviceAt: at(10) },
        { fromDeviceAt: at(20), untilDeviceAt: at(30) },
        { fromDeviceAt: at(40), untilDeviceAt: at(50) },
      ],
    });
  });

  it('gives an inexact range where events cannot be searched', async () => {
    const { device, archive } = await start([recording('R1')]);
    delete device.answers['FindEvents'];
    expect(await archive.findCoverage('R1', { fromDeviceAt: at(30), untilDeviceAt: at(90) })).toEqual({
      isExact: false,
      spans: [{ fromDeviceAt: at(30), untilDeviceAt: at(60) }],
    });
    await expect(archive.findCoverage('R1', { fromDeviceAt: 2, untilDeviceAt: 2 })).rejects.toMatchObject({
      code: 'rejected',
    });
  });

  it('ends a search that never completes, by its deadline', async () => {
    const { device, archive } = await start([]);
    device.answers['GetRecordingSearchResults'] =
      `<tse:GetRecordingSearchResultsResponse ${SE}><tse:ResultList><tt:SearchState>Searching</tt:SearchState></tse:ResultList></tse:GetRecordingSearchResultsResponse>`;
    await expect(archive.findRecordings({ deadlineMs: 200 })).rejects.toMatchObject({ code: 'timeout' });
    expect(device.operations().at(-1)).toBe('EndSearch');
  });

  it('reads summary, configuration and replay address', async () => {
    const { archive } = await start([]);
    expect(await archive.getSummary()).toEqual({
      fromDeviceAt: at(0),
      untilDeviceAt: at(60),
      recordingCount: 2,
    });
    expect(await archive.listRecordings()).toEqual([
      { token: 'R1', sourceId: 'a', name: 'n', tracks: [{ token: 'V', kind: 'video' }] },
    ]);
    expect(await archive.getReplayUri('R1')).toBe('rtsp://127.0.0.1:8554/rec1');
  });
});
