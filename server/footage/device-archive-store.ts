import type { Knex } from 'knex';
import { inTransaction } from '#api/db/database.ts';
import { newId } from '#api/db/ids.ts';
import type { SpanMs } from './spans.ts';

/** What is known of a device's archive. Instants are epoch ms of our clock. */
export interface ArchiveRow {
  readonly askedAt: number;
  readonly answeredAt: number | null;
  readonly hasArchive: boolean | null;
  /** Device minus server, as used to place its footage. */
  readonly clockSkewMs: number | null;
  readonly problem: string | null;
}

/** A recording of a device that belongs to a channel; times in the device's clock. */
export interface RecordingRow {
  readonly channelId: string;
  readonly token: string;
  readonly fromDeviceAt: number | null;
  readonly untilDeviceAt: number | null;
}

/** What a recording holds of one UTC day of the device's clock. */
export interface CoverageRow {
  readonly token: string;
  readonly dayDeviceAt: number;
  readonly askedAt: number;
  readonly isExact: boolean;
  /** Device clock. */
  readonly spans: readonly SpanMs[];
}

/** A stretch that was fetched; times in the device's clock. */
export interface PieceRow {
  readonly id: string;
  readonly token: string;
  readonly fromDeviceAt: number;
  readonly untilDeviceAt: number;
  readonly isWhole: boolean;
  readonly clockSkewMs: number;
}

/** A fetched file; times in our clock. */
export interface DeviceSegment {
  readonly pieceId: string;
  /** The recording it was taken from. */
  readonly token: string;
  readonly runId: string;
  /** Relative to the folder of fetched footage. */
  readonly file: string;
  readonly startAt: number;
  readonly endAt: number;
  readonly videoCodec: string;
  readonly hasAudio: boolean;
  /** Device minus server, by which it was placed. */
  readonly clockSkewMs: number;
}

type Row = Record<string, number | string | null>;
const toPiece = (row: Row): PieceRow => ({
  id: String(row.id),
  token: String(row.token),
  fromDeviceAt: Number(row.from_device_at),
  untilDeviceAt: Number(row.until_device_at),
  isWhole: row.is_whole === 1,
  clockSkewMs: Number(row.clock_skew_ms),
});
/** No piece is longer; it bounds how far back a search by overlap looks. */
const longestPieceMs = 120_000;

/** Queries of what devices hold, and of what was fetched from them. */
export function createDeviceArchiveStore(db: Knex) {
  return {
    async find(deviceId: string): Promise<ArchiveRow | undefined> {
      const row: Row | undefined = await db('device_archives').where({ device_id: deviceId }).first();
      return (
        row && {
          askedAt: Number(row.asked_at),
          answeredAt: row.answered_at === null ? null : Number(row.answered_at),
          hasArchive: row.has_archive === null ? null : row.has_archive === 1,
          clockSkewMs: row.clock_skew_ms === null ? null : Number(row.clock_skew_ms),
          problem: row.problem === null ? null : String(row.problem),
        }
      );
    },

    async put(deviceId: string, archive: ArchiveRow): Promise<void> {
      const fields = {
        asked_at: archive.askedAt,
        answered_at: archive.answeredAt,
        has_archive: archive.hasArchive === null ? null : archive.hasArchive ? 1 : 0,
        clock_skew_ms: archive.clockSkewMs,
        problem: archive.problem,
      };
      await db('device_archives')
        .insert({ device_id: deviceId, ...fields })
        .onConflict('device_id')
        .merge(fields);
    },

    /** Replaces the recordings of these channels. */
    async putRecordings(channelIds: readonly string[], recordings: readonly RecordingRow[]): Promise<void> {
      await inTransaction(db, async (trx) => {
        await trx('device_recordings').whereIn('channel_id', channelIds).delete();
        for (const { channelId, token, fromDeviceAt, untilDeviceAt } of recordings)
          await trx('device_recordings').insert({
            channel_id: channelId,
            token,
            from_device_at: fromDeviceAt,
            until_device_at: untilDeviceAt,
          });
      });
    },

    async listRecordings(channelId: string): Promise<RecordingRow[]> {
      const rows: Row[] = await db('device_recordings').where({ channel_id: channelId }).orderBy('token');
      return rows.map((row) => ({
        channelId,
        token: String(row.token),
        fromDeviceAt: row.from_device_at === null ? null : Number(row.from_device_at),
        untilDeviceAt: row.until_device_at === null ? null : Number(row.until_device_at),
      }));
    },

    /** Days that begin in `range` (device clock), by day. */
    async listCoverage(channelId: string, range: SpanMs): Promise<CoverageRow[]> {
      const rows: Row[] = await db('device_coverage')
        .where({ channel_id: channelId })
        .whereBetween('day_device_at', [range.fromAt, range.toAt])
        .orderBy(['day_device_at', 'token']);
      return rows.map((row) => ({
        token: String(row.token),
        dayDeviceAt: Number(row.day_device_at),
        askedAt: Number(row.asked_at),
        isExact: row.is_exact === 1,
        spans: (JSON.parse(String(row.spans_json)) as [number, number][]).map(([fromAt, toAt]) => ({
          fromAt,
          toAt,
        })),
      }));
    },

    async putCoverage(channelId: string, coverage: CoverageRow): Promise<void> {
      const fields = {
        asked_at: coverage.askedAt,
        is_exact: coverage.isExact ? 1 : 0,
        spans_json: JSON.stringify(coverage.spans.map(({ fromAt, toAt }) => [fromAt, toAt])),
      };
      await db('device_coverage')
        .insert({
          channel_id: channelId,
          token: coverage.token,
          day_device_at: coverage.dayDeviceAt,
          ...fields,
        })
        .onConflict(['channel_id', 'token', 'day_device_at'])
        .merge(fields);
    },

    /** Pieces that share time with `range` (device clock), by start. */
    async listPieces(channelId: string, range: SpanMs): Promise<PieceRow[]> {
      const rows: Row[] = await db('device_pieces')
        .where({ channel_id: channelId })
        .andWhere('from_device_at', '<', range.toAt)
        .andWhere('from_device_at', '>', range.fromAt - longestPieceMs)
        .andWhere('until_device_at', '>', range.fromAt)
        .orderBy('from_device_at');
      return rows.map(toPiece);
    },

    /** Keeps a piece with its files, in one step. */
    async insertPiece(
      channelId: string,
      piece: Omit<PieceRow, 'id'> & { sizeBytes: number; at: number },
      segments: readonly Omit<DeviceSegment, 'pieceId' | 'token' | 'clockSkewMs'>[],
    ): Promise<void> {
      const id = newId();
      await inTransaction(db, async (trx) => {
        await trx('device_pieces').insert({
          id,
          channel_id: channelId,
          token: piece.token,
          from_device_at: Math.round(piece.fromDeviceAt),
          until_device_at: Math.round(piece.untilDeviceAt),
          is_whole: piece.isWhole ? 1 : 0,
          clock_skew_ms: Math.round(piece.clockSkewMs),
          size_bytes: piece.sizeBytes,
          fetched_at: piece.at,
          used_at: piece.at,
        });
        for (const segment of segments)
          await trx('device_segments').insert({
            id: newId(),
            piece_id: id,
            channel_id: channelId,
            run_id: segment.runId,
            file: segment.file,
            start_at: Math.round(segment.startAt),
            end_at: Math.round(segment.endAt),
            video_codec: segment.videoCodec,
            has_audio: segment.hasAudio ? 1 : 0,
          });
      });
    },

    /** Fetched files that share time with `range` (our clock), by start. */
    async listSegments(channelId: string, range: SpanMs): Promise<DeviceSegment[]> {
      const rows: Row[] = await db('device_segments as segment')
        .join('device_pieces as piece', 'piece.id', 'segment.piece_id')
        .where('segment.channel_id', channelId)
        .andWhere('start_at', '<', range.toAt)
        .andWhere('start_at', '>', range.fromAt - longestPieceMs)
        .andWhere('end_at', '>', range.fromAt)
        .orderBy('start_at')
        .select('segment.*', 'piece.clock_skew_ms', 'piece.token');
      return rows.map((row) => ({
        pieceId: String(row.piece_id),
        token: String(row.token),
        runId: String(row.run_id),
        file: String(row.file),
        startAt: Number(row.start_at),
        endAt: Number(row.end_at),
        videoCodec: String(row.video_codec),
        hasAudio: row.has_audio === 1,
        clockSkewMs: Number(row.clock_skew_ms),
      }));
    },

    async touch(pieceIds: readonly string[], at: number): Promise<void> {
      for (let from = 0; from < pieceIds.length; from += 500)
        await db('device_pieces')
          .whereIn('id', pieceIds.slice(from, from + 500))
          .update({ used_at: at });
    },

    async totalBytes(): Promise<number> {
      const [row]: { size: number | string | null }[] = await db('device_pieces').sum('size_bytes as size');
      return Number(row?.size ?? 0);
    },

    /** Least recently used first, of those not used since `beforeAt`. */
    async listIdle(beforeAt: number, limit: number): Promise<{ id: string; sizeBytes: number }[]> {
      const rows: Row[] = await db('device_pieces')
        .where('used_at', '<', beforeAt)
        .orderBy('used_at')
        .limit(limit);
      return rows.map((row) => ({ id: String(row.id), sizeBytes: Number(row.size_bytes) }));
    },

    /** Pieces of these channels. */
    async listPieceIds(channelIds: readonly string[]): Promise<string[]> {
      const rows: Row[] = await db('device_pieces').whereIn('channel_id', channelIds).select('id');
      return rows.map((row) => String(row.id));
    },

    /** Forgets a piece. @returns its files, which the caller deletes */
    async removePiece(id: string): Promise<string[]> {
      return inTransaction(db, async (trx) => {
        const rows: Row[] = await trx('device_segments').where({ piece_id: id }).select('file');
        await trx('device_segments').where({ piece_id: id }).delete();
        await trx('device_pieces').where({ id }).delete();
        return rows.map((row) => String(row.file));
      });
    },

    /** All fetched files with their piece. */
    async listFiles(): Promise<Map<string, string>> {
      const rows: Row[] = await db('device_segments').select('file', 'piece_id');
      return new Map(rows.map((row) => [String(row.file), String(row.piece_id)]));
    },
  };
}
export type DeviceArchiveStore = ReturnType<typeof createDeviceArchiveStore>;
