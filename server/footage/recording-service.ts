import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { RecordingState } from '#api/devices/schema.ts';
import { AppError } from '#api/errors.ts';
import type { EventBus } from '#api/events/bus.ts';
import type { Logger } from '#api/log.ts';
import type { Clock } from '#media/clock.ts';
import { isMediaError } from '#media/errors.ts';
import {
  createRecorder,
  type Recorder,
  type RecorderOptions,
  type RecorderState,
} from '#media/recorder/recorder.ts';
import type { ChannelFacts, ChannelSource, ChannelStream } from './types.ts';
import type { Indexer } from './indexer.ts';
import type { RunStore } from './run-store.ts';
import type { GapCause } from './timeline.ts';

/** How a channel's recording is. `cause` is a code while something hinders it. */
export interface RecordingFacts {
  readonly state: RecordingState;
  readonly cause: string | null;
}

export interface RecordingService {
  /** Begins to record what the register wants, one camera shortly after another, and follows its changes. */
  start(): void;
  recordingOf(channelId: string): RecordingFacts;
  /** The recorder of a channel, for live view and for the file it is writing; undefined when it is not recorded. */
  recorderOf(channelId: string): Recorder | undefined;
  /** Bytes of the files being written now. */
  openBytes(): Promise<number>;
  countByState(): Record<RecordingState, number>;
  /** Ends all recorders; their open files are finished and indexed. Safe to repeat. */
  close(): Promise<void>;
}

interface Entry {
  readonly channelId: string;
  recorder: Recorder | undefined;
  /** What the recorder was started with, to see a change. */
  key: string;
  facts: RecordingFacts;
  runId: string | undefined;
}

const settleMs = 200;
const resyncMs = 30_000;
const staggerMs = 150;
const off: RecordingFacts = { state: 'off', cause: null };

/** One recorder for each recorded channel. A camera that fails hinders no other. */
export function createRecordingService(options: {
  recordingsDir: string;
  segmentMs: number;
  channels: ChannelSource;
  runs: RunStore;
  indexer: Indexer;
  bus: EventBus;
  clock: Clock;
  log: Logger;
  /** For tests. */
  makeRecorder?: (options: RecorderOptions) => Recorder;
}): RecordingService {
  const { channels, runs, indexer, bus, clock, log, makeRecorder = createRecorder } = options;
  const entries = new Map<string, Entry>();
  const unsubscribes: (() => void)[] = [];
  let isClosing = false;
  let work: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  let isChanged = false;

  function setFacts(entry: Entry, facts: RecordingFacts): void {
    if (entry.facts.state === facts.state && entry.facts.cause === facts.cause) return;
    entry.facts = facts;
    bus.emit({ name: 'recording.changed', channelId: entry.channelId, ...facts });
  }

  function endRun(entry: Entry, reason: GapCause): void {
    const { runId } = entry;
    if (runId === undefined) return;
    entry.runId = undefined;
    const endedAt = clock.now();
    indexer.enqueue(() => runs.end(runId, endedAt, reason));
  }

  function onState(entry: Entry, state: RecorderState): void {
    if (state.name === 'stopped') return; // stop() says why
    if (state.name === 'waiting' || state.name === 'disk-full') {
      endRun(entry, state.name === 'disk-full' ? 'disk-full' : 'camera-lost');
      return setFacts(entry, { state: state.name, cause: state.cause.code });
    }
    // Between two tries the camera is still lost: the console must not flicker back to "starting".
    if (state.name === 'starting' && entry.facts.state !== 'off') return;
    setFacts(entry, { state: state.name, cause: null });
  }

  function start(entry: Entry, { source }: ChannelStream): void {
    const { channelId } = entry;
    const recorder = makeRecorder({
      source,
      dir: join(options.recordingsDir, channelId),
      segmentMs: options.segmentMs,
      clock,
      log: log.child({ channelId }),
      onState: (state) => onState(entry, state),
      onSegmentClosed: (segment) => indexer.add(channelId, segment),
      onAnchor({ runId, wallAt, offsetMs }) {
        entry.runId = runId;
        indexer.enqueue(async () => {
          await runs.insert({ id: runId, channelId, startedAt: wallAt });
          await runs.setAnchor(runId, offsetMs);
        });
      },
    });
    entry.recorder = recorder;
  }

  async function stop(entry: Entry, reason: GapCause): Promise<void> {
    await entry.recorder?.stop();
    entry.recorder = undefined;
    endRun(entry, reason);
  }

  /** Brings one channel to what the register says of it. */
  async function follow(facts: ChannelFacts): Promise<boolean> {
    const { channelId } = facts;
    const entry = entries.get(channelId) ?? {
      channelId,
      recorder: undefined,
      key: '',
      facts: off,
      runId: undefined,
    };
    entries.set(channelId, entry);
    try {
      const stream = await channels.getStream(channelId, 'main');
      const key = JSON.stringify(stream.source);
      if (entry.recorder && entry.key === key) return false;
      await stop(entry, 'stream-changed');
      if (isClosing) return false;
      start(entry, stream);
      entry.key = key;
      return true;
    } catch (error) {
      const isExpected = error instanceof AppError || isMediaError(error);
      log[isExpected ? 'warn' : 'error']({ channelId, err: error }, 'a channel cannot be recorded now');
      // A recorder that still runs has a picture as long as the camera gives one: a question without an answer is no reason to end it.
      if (!entry.recorder) setFacts(entry, { state: 'waiting', cause: isExpected ? error.code : 'internal' });
      return false;
    }
  }

  async function sync(): Promise<void> {
    const wanted = await channels.listRecorded();
    const ids = new Set(wanted.map((facts) => facts.channelId));
    const unwanted = [...entries.values()].filter((entry) => !ids.has(entry.channelId));
    for (const entry of unwanted) {
      await stop(entry, 'recording-off');
      setFacts(entry, off);
      entries.delete(entry.channelId);
    }
    for (const facts of wanted) {
      if (isClosing) return;
      const isStarted = await follow(facts);
      // Twelve cameras at once would make the first seconds of all of them late.
      if (isStarted) await new Promise((resolve) => setTimeout(resolve, staggerMs));
    }
  }

  function syncIn(delayMs: number): void {
    if (isClosing) return;
    clearTimeout(timer);
    timer = setTimeout(() => {
      isChanged = false;
      work = work
        .then(() => (isClosing ? undefined : sync()))
        .catch((error: unknown) => log.error({ err: error }, 'could not follow the register'))
        .finally(() => syncIn(isChanged ? settleMs : resyncMs));
    }, delayMs);
    timer.unref();
  }
  const onChange = () => {
    isChanged = true;
    syncIn(settleMs);
  };

  return {
    start() {
      for (const name of ['device.changed', 'device.removed'] as const)
        unsubscribes.push(bus.on(name, onChange));
      syncIn(0);
    },
    recordingOf: (channelId) => entries.get(channelId)?.facts ?? off,
    recorderOf: (channelId) => entries.get(channelId)?.recorder,
    async openBytes() {
      const paths = [...entries.values()].map((entry) => entry.recorder?.current()?.path());
      const sizes = await Promise.all(paths.map((path) => (path === undefined ? 0 : sizeOf(path))));
      return sizes.reduce((sum, size) => sum + size, 0);
    },
    countByState() {
      const counts = { off: 0, starting: 0, recording: 0, waiting: 0, 'disk-full': 0 };
      for (const { facts } of entries.values()) counts[facts.state] += 1;
      return counts;
    },
    async close() {
      isClosing = true;
      clearTimeout(timer);
      for (const unsubscribe of unsubscribes.splice(0)) unsubscribe();
      await work;
      await Promise.all([...entries.values()].map((entry) => stop(entry, 'server-stopped')));
      entries.clear();
      await indexer.close();
    },
  };
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0; // closed a moment ago, or not yet there
    throw error;
  }
}
