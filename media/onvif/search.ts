import { MediaError } from '#media/errors.ts';
import type { DeviceContext } from './context.ts';
import { eventOf } from './events.ts';
import { escapeXml, find, list, number, text, type XmlNode } from './xml.ts';

/*
 * Profile G speaks the device's own clock. Instants named `...DeviceAt` are epoch ms as the device counts them; ours is
 * `deviceAt - clock.skewMs`. They are not converted here because a recording keeps the clock it was made with, which may not be today's.
 */

/** One recording of an NVR, usually one camera behind it. */
export interface Recording {
  token: string;
  /** What the recording was made of, as the device names it. */
  sourceId?: string;
  name?: string;
  tracks: {
    token: string;
    kind: 'video' | 'audio' | 'metadata' | 'other';
    fromDeviceAt?: number;
    untilDeviceAt?: number;
  }[];
  fromDeviceAt?: number;
  untilDeviceAt?: number;
}

export interface RecordingSummary {
  fromDeviceAt?: number;
  untilDeviceAt?: number;
  recordingCount?: number;
}

/** Where footage exists, ascending and without overlap. */
export interface Coverage {
  spans: { fromDeviceAt: number; untilDeviceAt: number }[];
  /** False if the device could only tell its first and last moment: there may be holes inside. */
  isExact: boolean;
}

const MAX_RESULTS = 20_000;

/** The recording configuration: each recording with its source and tracks. Asks the recording service once. */
export async function listRecordings(context: DeviceContext): Promise<Recording[]> {
  const answer = await context.ask('recording', 'GetRecordings');
  return list(answer, 'RecordingItem').flatMap((item) => {
    const token = text(item, 'RecordingToken');
    if (token === undefined) return [];
    const tracks = list(find(item, 'Tracks'), 'Track').flatMap((track) => {
      const trackToken = text(track, 'TrackToken');
      return trackToken === undefined
        ? []
        : [{ token: trackToken, kind: kindOf(text(track, 'Configuration', 'TrackType')) }];
    });
    const source = find(item, 'Configuration', 'Source');
    return [{ token, sourceId: text(source, 'SourceId'), name: text(source, 'Name'), tracks }];
  });
}

/** First and last moment of everything recorded. */
export async function getRecordingSummary(context: DeviceContext): Promise<RecordingSummary> {
  const summary = find(await context.ask('search', 'GetRecordingSummary'), 'Summary');
  return {
    fromDeviceAt: instant(text(summary, 'DataFrom')),
    untilDeviceAt: instant(text(summary, 'DataUntil')),
    recordingCount: number(summary, 'NumberRecordings'),
  };
}

/** All recordings with what each holds, by FindRecordings and its result pages. */
export async function findRecordings(
  context: DeviceContext,
  options: { deadlineMs?: number; signal?: AbortSignal } = {},
): Promise<Recording[]> {
  const pages = await runSearch(
    context,
    'FindRecordings',
    'GetRecordingSearchResults',
    '<tse:Scope/><tse:KeepAliveTime>PT30S</tse:KeepAliveTime>',
    options,
  );
  return pages
    .flatMap((page) => list(page, 'RecordingInformation'))
    .flatMap((item) => {
      const token = text(item, 'RecordingToken');
      if (token === undefined) return [];
      const source = find(item, 'Source');
      return [
        {
          token,
          sourceId: text(source, 'SourceId'),
          name: text(source, 'Name'),
          tracks: list(item, 'Track').flatMap((track) => {
            const trackToken = text(track, 'TrackToken');
            if (trackToken === undefined) return [];
            return [
              {
                token: trackToken,
                kind: kindOf(text(track, 'TrackType')),
                fromDeviceAt: instant(text(track, 'DataFrom')),
                untilDeviceAt: instant(text(track, 'DataTo')),
              },
            ];
          }),
          fromDeviceAt: instant(text(item, 'EarliestRecording')),
          untilDeviceAt: instant(text(item, 'LatestRecording')),
        },
      ];
    });
}

/**
 * Where footage of `recordingToken` exists between two device instants, from the events that tell when recording data begins and ends.
 * A device that cannot search events gives its first-to-last range, marked inexact.
 * @throws MediaError 'rejected' if the recording is unknown or the range is empty
 */
export async function findCoverage(
  context: DeviceContext,
  recordingToken: string,
  range: { fromDeviceAt: number; untilDeviceAt: number },
  options: { deadlineMs?: number; signal?: AbortSignal } = {},
): Promise<Coverage> {
  if (!(range.fromDeviceAt < range.untilDeviceAt))
    throw new MediaError('rejected', 'the range to search is empty');
  let pages: XmlNode[];
  try {
    pages = await runSearch(
      context,
      'FindEvents',
      'GetEventSearchResults',
      `<tse:StartPoint>${new Date(range.fromDeviceAt).toISOString()}</tse:StartPoint><tse:EndPoint>${new Date(range.untilDeviceAt).toISOString()}</tse:EndPoint>` +
        `<tse:Scope><tt:IncludedRecordings>${escapeXml(recordingToken)}</tt:IncludedRecordings></tse:Scope>` +
        '<tse:SearchFilter/><tse:IncludeStartState>true</tse:IncludeStartState><tse:KeepAliveTime>PT30S</tse:KeepAliveTime>',
      options,
    );
  } catch (error) {
    if (!(error instanceof MediaError) || (error.code !== 'not-supported' && error.code !== 'rejected'))
      throw error;
    context.log.debug(
      { error: error.message },
      'the device cannot search events, using the range of the recording',
    );
    return rangeOfRecording(context, recordingToken, range, options);
  }
  return {
    spans: spansOf(
      pages.flatMap((page) => list(page, 'Result')),
      recordingToken,
      range,
    ),
    isExact: true,
  };
}

async function rangeOfRecording(
  context: DeviceContext,
  recordingToken: string,
  range: { fromDeviceAt: number; untilDeviceAt: number },
  options: { deadlineMs?: number; signal?: AbortSignal },
): Promise<Coverage> {
  const recording = (await findRecordings(context, options)).find(({ token }) => token === recordingToken);
  if (!recording) throw new MediaError('rejected', 'the device has no such recording');
  const video = recording.tracks.find(({ kind }) => kind === 'video') ?? recording.tracks[0];
  const from = video?.fromDeviceAt ?? recording.fromDeviceAt;
  const until = video?.untilDeviceAt ?? recording.untilDeviceAt;
  if (from === undefined || until === undefined) return { spans: [], isExact: false };
  const span = {
    fromDeviceAt: Math.max(from, range.fromDeviceAt),
    untilDeviceAt: Math.min(until, range.untilDeviceAt),
  };
  return { spans: span.fromDeviceAt < span.untilDeviceAt ? [span] : [], isExact: false };
}

/**
 * Spans from `IsDataPresent` events of the video track (of any track if no track name tells video). The start state says whether data
 * exists at the beginning; a span still open at the end reaches to it.
 * Source: ONVIF Recording Search specification 5.22, tns1:RecordingHistory/Track/State.
 */
function spansOf(
  results: readonly XmlNode[],
  recordingToken: string,
  range: { fromDeviceAt: number; untilDeviceAt: number },
): Coverage['spans'] {
  const changes = results
    .flatMap((result) => {
      const at = instant(text(result, 'Time'));
      const { topic, data } = eventOf(find(result, 'Event') ?? result, 0);
      const isPresent = data['IsDataPresent'];
      const isOwn = (text(result, 'RecordingToken') ?? recordingToken) === recordingToken;
      if (
        at === undefined ||
        !isOwn ||
        isPresent === undefined ||
        !/Track\/State|RecordingHistory/.test(topic)
      )
        return [];
      return [{ at, track: text(result, 'TrackToken') ?? '', hasData: /^(true|1)$/i.test(isPresent) }];
    })
    .toSorted((a, b) => a.at - b.at);
  const video = changes.find(({ track }) => /video/i.test(track))?.track ?? changes[0]?.track;
  const spans: Coverage['spans'] = [];
  let openAt: number | undefined;
  const close = (at: number): void => {
    if (openAt !== undefined && at > openAt)
      spans.push({ fromDeviceAt: openAt, untilDeviceAt: Math.min(at, range.untilDeviceAt) });
    openAt = undefined;
  };
  for (const { at, track, hasData } of changes) {
    if (track !== video || at > range.untilDeviceAt) continue;
    if (hasData) openAt ??= Math.max(at, range.fromDeviceAt);
    else close(at);
  }
  close(range.untilDeviceAt);
  return spans;
}

/**
 * Starts a search, gathers result pages until the device says Completed, and ends the search at the device even when it fails: an NVR
 * keeps only a few open.
 */
async function runSearch(
  context: DeviceContext,
  start: 'FindRecordings' | 'FindEvents',
  results: 'GetRecordingSearchResults' | 'GetEventSearchResults',
  inner: string,
  { deadlineMs = 30_000, signal }: { deadlineMs?: number; signal?: AbortSignal },
): Promise<XmlNode[]> {
  const token = text(await context.ask('search', start, inner, { signal }), 'SearchToken');
  if (token === undefined)
    throw new MediaError('protocol', `the device answered ${start} without a search token`);
  const tokenXml = `<tse:SearchToken>${escapeXml(token)}</tse:SearchToken>`;
  const endsAt = Date.now() + deadlineMs;
  const pages: XmlNode[] = [];
  let found = 0;
  try {
    for (;;) {
      if (Date.now() > endsAt)
        throw new MediaError('timeout', `the device did not finish its search within ${deadlineMs} ms`);
      const answer = await context.ask(
        'search',
        results,
        `${tokenXml}<tse:MaxResults>100</tse:MaxResults><tse:WaitTime>PT2S</tse:WaitTime>`,
        { signal },
      );
      const page = find(answer, 'ResultList');
      if (!page) throw new MediaError('protocol', 'the device answered a search without a result list');
      pages.push(page);
      found += page.children.length;
      if (found > MAX_RESULTS)
        throw new MediaError(
          'too-large',
          `the search found more than ${MAX_RESULTS} results; ask for a shorter time`,
          { max: MAX_RESULTS },
        );
      if (text(page, 'SearchState') === 'Completed') return pages;
    }
  } finally {
    await context
      .ask('search', 'EndSearch', tokenXml)
      .catch((error: unknown) =>
        context.log.debug({ error: (error as Error).message }, 'the device did not end the search'),
      );
  }
}

/** Only instants with a zone are unambiguous; the specification demands UTC, and a bare time is taken as that. */
function instant(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const at = Date.parse(/(Z|[+-]\d{2}:?\d{2})$/i.test(value) ? value : `${value}Z`);
  return Number.isNaN(at) ? undefined : at;
}

function kindOf(trackType: string | undefined): Recording['tracks'][number]['kind'] {
  const kind = trackType?.toLowerCase();
  return kind === 'video' || kind === 'audio' || kind === 'metadata' ? kind : 'other';
}
