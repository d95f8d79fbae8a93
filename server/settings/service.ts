import type { Knex } from 'knex';
import { Compile } from 'typebox/compile';
import type { Now } from '#api/clock.ts';
import { AppError } from '#api/errors.ts';
import type { EventBus } from '#api/events/bus.ts';
import { Settings, type SettingsKey } from './schema.ts';

const checks = {
  setup: Compile(Settings.properties.setup),
  site: Compile(Settings.properties.site),
  network: Compile(Settings.properties.network),
  storage: Compile(Settings.properties.storage),
  health: Compile(Settings.properties.health),
  evidence: Compile(Settings.properties.evidence),
} as const;

/** What a new installation starts with. */
export function defaultSettings(cameraNetworks: readonly string[]): Settings {
  return {
    setup: { isDone: false },
    site: { hospitalName: '' },
    network: { cameraNetworks: [...cameraNetworks] },
    storage: { minFreeBytes: 2_000_000_000, maxBytes: null, warnDaysLeft: 2 },
    health: { probeIntervalMs: 30_000, retryIntervalMs: 5_000, failuresToFault: 3, successesToRecover: 2 },
    evidence: {
      isTwoPersonRuleOn: false,
      limits: {
        security: { longestMinutes: null, mostPerDay: null },
        admin: { longestMinutes: null, mostPerDay: null },
      },
    },
  };
}

export interface SettingsService {
  /** The settings now in force; a fresh object only after a change. */
  current(): Settings;
  /**
   * Replaces whole groups.
   * @param also work that must be kept or dropped together with the change, as its row on the trail
   * @throws AppError request.invalid when a group does not fit its schema
   */
  change(
    change: Partial<Settings>,
    by: string,
    also?: (trx: Knex.Transaction) => Promise<void>,
  ): Promise<Settings>;
}

/** Loads the rows once and keeps them in memory; a row that no longer fits its schema is reported and the default used. */
export async function createSettingsService(options: {
  db: Knex;
  bus: EventBus;
  now: Now;
  defaults: Settings;
  onBadRow(key: string): void;
}): Promise<SettingsService> {
  const { db, bus, now, defaults } = options;
  let settings: Settings = defaults;
  const rows: { key: string; value_json: string }[] = await db('settings').select('key', 'value_json');
  for (const row of rows) {
    const value: unknown = JSON.parse(row.value_json);
    const key = row.key as SettingsKey;
    if (key in checks && checks[key].Check(value)) settings = { ...settings, [key]: value };
    else options.onBadRow(row.key);
  }

  return {
    current: () => settings,
    async change(change, by, also) {
      const entries = Object.entries(change) as [SettingsKey, unknown][];
      for (const [key, value] of entries)
        if (!checks[key].Check(value))
          throw new AppError('request.invalid', { fields: [{ path: `/${key}` }] });
      await db.transaction(async (trx) => {
        for (const [key, value] of entries)
          await trx('settings')
            .insert({ key, value_json: JSON.stringify(value), updated_at: now(), updated_by: by })
            .onConflict('key')
            .merge();
        await also?.(trx);
      });
      settings = { ...settings, ...change };
      for (const [key] of entries) bus.emit({ name: 'settings.changed', key });
      return settings;
    },
  };
}
