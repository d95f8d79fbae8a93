import { randomUUID } from 'node:crypto';
import type { ArchiveRecording } from '../archive.ts';
import type { SimDevice } from '../device.ts';
import { isoTime, noSuch, NS, SoapFault } from '../soap.ts';
import { child, children, textAt, xml, Xml, type Node } from '../xml.ts';
import type { Handlers } from './handlers.ts';

const MAX_SEARCHES = 10;
const SEARCH_LIFE_MS = 60_000;
const TRACK = 'VIDEO001';

interface Search {
  kind: 'recordings' | 'events';
  /** Answers not handed out yet, in order. */
  rest: Xml[];
  endsAt: number;
  /** End of the time searched, for EndSearch. */
  endpointAt: number;
}

const source = (r: ArchiveRecording): Xml =>
  xml`<tt:SourceId>VideoSource_${r.number}</tt:SourceId><tt:Name>${r.name}</tt:Name><tt:Location>${r.name}</tt:Location><tt:Description>${r.name}</tt:Description><tt:Address>urn:weian-simulator:channel:${r.number}</tt:Address>`;

const firstAt = (r: ArchiveRecording): number => r.spans[0]!.startAt;
const lastAt = (r: ArchiveRecording): number => r.spans.at(-1)!.endAt;

function information(r: ArchiveRecording): Xml {
  return xml`<tt:RecordingInformation><tt:RecordingToken>${r.token}</tt:RecordingToken><tt:Source>${source(r)}</tt:Source><tt:EarliestRecording>${isoTime(firstAt(r))}</tt:EarliestRecording><tt:LatestRecording>${isoTime(lastAt(r))}</tt:LatestRecording><tt:Content>Continuous</tt:Content><tt:Track><tt:TrackToken>${TRACK}</tt:TrackToken><tt:TrackType>Video</tt:TrackType><tt:Description>Video</tt:Description><tt:DataFrom>${isoTime(firstAt(r))}</tt:DataFrom><tt:DataTo>${isoTime(lastAt(r))}</tt:DataTo></tt:Track><tt:RecordingStatus>Stopped</tt:RecordingStatus></tt:RecordingInformation>`;
}

/** Starts and ends of footage, as the events that tell a client where the gaps are. Source: ONVIF Recording Search §5.21. */
function dataEvent(r: ArchiveRecording, at: number, isPresent: boolean, isStartState: boolean): Xml {
  return xml`<tt:Result><tt:RecordingToken>${r.token}</tt:RecordingToken><tt:TrackToken>${TRACK}</tt:TrackToken><tt:Time>${isoTime(at)}</tt:Time><tt:Event><wsnt:Topic Dialect="http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet">tns1:RecordingHistory/Track/State</wsnt:Topic><wsnt:Message><tt:Message UtcTime="${isoTime(at)}" PropertyOperation="${isStartState ? 'Initialized' : 'Changed'}"><tt:Source><tt:SimpleItem Name="RecordingToken" Value="${r.token}"/><tt:SimpleItem Name="Track" Value="${TRACK}"/></tt:Source><tt:Data><tt:SimpleItem Name="IsDataPresent" Value="${String(isPresent)}"/></tt:Data></tt:Message></wsnt:Message></tt:Event><tt:StartStateEvent>${String(isStartState)}</tt:StartStateEvent></tt:Result>`;
}

function eventsOf(
  r: ArchiveRecording,
  fromAt: number,
  untilAt: number,
  withStart: boolean,
): { at: number; xml: Xml }[] {
  const isForward = fromAt <= untilAt;
  const [low, high] = isForward ? [fromAt, untilAt] : [untilAt, fromAt];
  const found = r.spans
    .flatMap((s) => [
      { at: s.startAt, isPresent: true },
      { at: s.endAt, isPresent: false },
    ])
    .filter((e) => e.at >= low && e.at <= high)
    .map((e) => ({ at: e.at, xml: dataEvent(r, e.at, e.isPresent, false) }));
  if (!isForward) found.reverse();
  if (!withStart) return found;
  const isPresent = r.spans.some((s) => s.startAt <= fromAt && fromAt < s.endAt);
  return [{ at: fromAt, xml: dataEvent(r, fromAt, isPresent, true) }, ...found];
}

function included(recordings: readonly ArchiveRecording[], scope: Node | undefined): ArchiveRecording[] {
  const tokens = children(scope, 'IncludedRecordings').map((n) => String(n['#text']));
  const sources = children(scope, 'IncludedSources').map((n) => textAt(n, 'Token') ?? String(n['#text']));
  return recordings.filter(
    (r) =>
      (tokens.length === 0 || tokens.includes(r.token)) &&
      (sources.length === 0 || sources.includes(`VideoSource_${r.number}`)),
  );
}

function instant(body: Node, name: string): number | undefined {
  const text = textAt(body, name);
  if (text === undefined) return undefined;
  const at = Date.parse(text);
  if (Number.isNaN(at)) throw new SoapFault('Sender', ['ter:InvalidArgVal'], `${name} is no time: ${text}`);
  return at;
}

/** Recording, search and replay of one NVR. Source: ONVIF Recording Control, Recording Search and Replay Control specifications. */
export function recordingServices(
  recordings: readonly ArchiveRecording[],
  replayUrl: (device: SimDevice, recording: ArchiveRecording) => string,
): Readonly<Record<string, Handlers>> {
  const searches = new Map<string, Search>();
  const get = (body: Node): ArchiveRecording => {
    const token = textAt(body, 'RecordingToken');
    const found = recordings.find((r) => r.token === token);
    if (!found) throw noSuch('ter:NoRecording', `No recording ${token ?? ''}`);
    return found;
  };
  const begin = (kind: Search['kind'], answers: Xml[], body: Node, endpointAt: number): string => {
    for (const [token, s] of searches) if (s.endsAt < Date.now()) searches.delete(token);
    if (searches.size >= MAX_SEARCHES) {
      throw new SoapFault('Receiver', ['ter:Action', 'ter:ResourceProblem'], 'Too many searches');
    }
    const limit = Number(textAt(body, 'MaxMatches') ?? Number.MAX_SAFE_INTEGER);
    const token = `search-${randomUUID()}`;
    searches.set(token, {
      kind,
      rest: answers.slice(0, limit),
      endsAt: Date.now() + SEARCH_LIFE_MS,
      endpointAt,
    });
    return token;
  };
  const search = (body: Node): Search => {
    const found = searches.get(textAt(body, 'SearchToken') ?? '');
    if (!found || found.endsAt < Date.now()) throw noSuch('ter:InvalidToken', 'No such search');
    return found;
  };
  /** Hands out the next page; `MaxResults` bounds it, otherwise three at a time so that clients must page. */
  const page = (body: Node, kind: Search['kind']): Xml => {
    const s = search(body);
    if (s.kind !== kind) throw noSuch('ter:InvalidToken', 'That search is of another kind');
    const results = s.rest.splice(0, Math.max(1, Number(textAt(body, 'MaxResults') ?? 3)));
    return xml`<tse:ResultList><tt:SearchState>${s.rest.length > 0 ? 'Searching' : 'Completed'}</tt:SearchState>${results}</tse:ResultList>`;
  };

  const recording: Handlers = {
    GetRecordings: () =>
      xml`<trc:GetRecordingsResponse>${recordings.map((r) => xml`<trc:RecordingItem><tt:RecordingToken>${r.token}</tt:RecordingToken><tt:Configuration><tt:Source>${source(r)}</tt:Source><tt:Content>Continuous</tt:Content><tt:MaximumRetentionTime>P30D</tt:MaximumRetentionTime></tt:Configuration><tt:Tracks><tt:Track><tt:TrackToken>${TRACK}</tt:TrackToken><tt:Configuration><tt:TrackType>Video</tt:TrackType><tt:Description>Video</tt:Description></tt:Configuration></tt:Track></tt:Tracks></trc:RecordingItem>`)}</trc:GetRecordingsResponse>`,
  };
  const searching: Handlers = {
    GetRecordingSummary: () =>
      xml`<tse:GetRecordingSummaryResponse><tse:Summary><tt:DataFrom>${isoTime(Math.min(...recordings.map(firstAt)))}</tt:DataFrom><tt:DataUntil>${isoTime(Math.max(...recordings.map(lastAt)))}</tt:DataUntil><tt:NumberRecordings>${recordings.length}</tt:NumberRecordings></tse:Summary></tse:GetRecordingSummaryResponse>`,
    GetRecordingInformation: ({ body }) =>
      xml`<tse:GetRecordingInformationResponse>${new Xml(information(get(body)).text.replace('<tt:RecordingInformation>', '<tse:RecordingInformation>').replace('</tt:RecordingInformation>', '</tse:RecordingInformation>'))}</tse:GetRecordingInformationResponse>`,
    FindRecordings: ({ body }) => {
      const found = included(recordings, child(body, 'Scope')).map(information);
      return xml`<tse:FindRecordingsResponse><tse:SearchToken>${begin('recordings', found, body, Date.now())}</tse:SearchToken></tse:FindRecordingsResponse>`;
    },
    GetRecordingSearchResults: ({ body }) =>
      xml`<tse:GetRecordingSearchResultsResponse>${page(body, 'recordings')}</tse:GetRecordingSearchResultsResponse>`,
    FindEvents: ({ body }) => {
      const fromAt = instant(body, 'StartPoint');
      if (fromAt === undefined) throw new SoapFault('Sender', ['ter:InvalidArgVal'], 'No StartPoint');
      const untilAt = instant(body, 'EndPoint') ?? Date.now();
      const found = included(recordings, child(body, 'Scope'))
        .flatMap((r) => eventsOf(r, fromAt, untilAt, textAt(body, 'IncludeStartState') === 'true'))
        .sort((a, b) => (fromAt <= untilAt ? a.at - b.at : b.at - a.at));
      return xml`<tse:FindEventsResponse><tse:SearchToken>${begin(
        'events',
        found.map((e) => e.xml),
        body,
        untilAt,
      )}</tse:SearchToken></tse:FindEventsResponse>`;
    },
    GetEventSearchResults: ({ body }) =>
      xml`<tse:GetEventSearchResultsResponse>${page(body, 'events')}</tse:GetEventSearchResultsResponse>`,
    EndSearch: ({ body }) => {
      const { endpointAt } = search(body);
      searches.delete(textAt(body, 'SearchToken')!);
      return xml`<tse:EndSearchResponse><tse:Endpoint>${isoTime(endpointAt)}</tse:Endpoint></tse:EndSearchResponse>`;
    },
  };
  const replay: Handlers = {
    GetReplayUri: ({ device, body }) =>
      xml`<trp:GetReplayUriResponse><trp:Uri>${replayUrl(device, get(body))}</trp:Uri></trp:GetReplayUriResponse>`,
    GetReplayConfiguration: () =>
      xml`<trp:GetReplayConfigurationResponse><trp:Configuration><tt:SessionTimeout>PT60S</tt:SessionTimeout></trp:Configuration></trp:GetReplayConfigurationResponse>`,
  };
  return { [NS.trc]: recording, [NS.tse]: searching, [NS.trp]: replay };
}
