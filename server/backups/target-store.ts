import type { Knex } from 'knex';
import type { Db } from '#api/db/database.ts';
import type { FolderConfig, Plan, S3Config, Target } from './schema.ts';

export type TargetState = Target['state'];
interface TargetBase {
  readonly id: string;
  readonly name: string;
  readonly state: TargetState;
  readonly stateAt: number | null;
}
export type TargetRecord =
  | (TargetBase & { readonly kind: 'folder'; readonly config: FolderConfig })
  | (TargetBase & { readonly kind: 's3'; readonly config: S3Config; readonly sealedSecret: string });
interface TargetRow {
  id: string;
  name: string;
  kind: 'folder' | 's3';
  config_json: string;
  sealed_secret: string | null;
  state: TargetState;
  state_at: number | null;
}
function toTarget(row: TargetRow): TargetRecord {
  const { id, name, state } = row;
  const base = { id, name, state, stateAt: row.state_at };
  return row.kind === 'folder'
    ? { ...base, kind: 'folder', config: JSON.parse(row.config_json) as FolderConfig }
    : {
        ...base,
        kind: 's3',
        config: JSON.parse(row.config_json) as S3Config,
        sealedSecret: row.sealed_secret ?? '',
      };
}

export interface PlanRecord {
  readonly id: string;
  readonly targetId: string;
  readonly targetName: string;
  readonly name: string;
  readonly schedule: Plan['schedule'];
  readonly channelIds: readonly string[] | null;
  readonly lastHours: number;
  readonly isHeldOnly: boolean;
  readonly isEnabled: boolean;
  readonly copiedToAt: number | null;
}
interface PlanRow {
  id: string;
  target_id: string;
  target_name: string;
  name: string;
  schedule: string | null;
  channel_ids_json: string | null;
  last_hours: number;
  is_held_only: number;
  is_enabled: number;
  copied_to_at: number | null;
}
const toPlan = (row: PlanRow): PlanRecord => ({
  id: row.id,
  targetId: row.target_id,
  targetName: row.target_name,
  name: row.name,
  schedule: row.schedule,
  channelIds: row.channel_ids_json === null ? null : (JSON.parse(row.channel_ids_json) as string[]),
  lastHours: row.last_hours,
  isHeldOnly: row.is_held_only === 1,
  isEnabled: row.is_enabled === 1,
  copiedToAt: row.copied_to_at,
});

/** What a target is written with; `sealedSecret` undefined leaves the one there. */
export interface TargetWrite {
  readonly id: string;
  readonly name: string;
  readonly kind: 'folder' | 's3';
  readonly config: FolderConfig | S3Config;
  readonly sealedSecret?: string | undefined;
}
export type PlanWrite = Omit<PlanRecord, 'targetName' | 'copiedToAt'>;

/** Queries of backup targets and plans. */
export function createTargetStore(db: Knex) {
  const plans = () =>
    db('backup_plans')
      .join('backup_targets', 'backup_targets.id', 'backup_plans.target_id')
      .select('backup_plans.*', 'backup_targets.name as target_name');
  const toPlanRow = (plan: PlanWrite, at: number) => ({
    target_id: plan.targetId,
    name: plan.name,
    schedule: plan.schedule,
    channel_ids_json: plan.channelIds === null ? null : JSON.stringify(plan.channelIds),
    last_hours: plan.lastHours,
    is_held_only: plan.isHeldOnly ? 1 : 0,
    is_enabled: plan.isEnabled ? 1 : 0,
    updated_at: at,
  });
  return {
    async listTargets(): Promise<TargetRecord[]> {
      const rows: TargetRow[] = await db('backup_targets').orderBy('name');
      return rows.map(toTarget);
    },
    async findTarget(id: string): Promise<TargetRecord | undefined> {
      const row: TargetRow | undefined = await db('backup_targets').where({ id }).first();
      return row && toTarget(row);
    },
    /** A new target, or another description of one. */
    async saveTarget(target: TargetWrite, at: number, trx: Db): Promise<void> {
      const values = {
        name: target.name,
        kind: target.kind,
        config_json: JSON.stringify(target.config),
        ...(target.sealedSecret === undefined ? {} : { sealed_secret: target.sealedSecret }),
        state: 'unknown',
        state_at: null,
        updated_at: at,
      };
      await trx('backup_targets')
        .insert({ id: target.id, created_at: at, ...values })
        .onConflict('id')
        .merge(Object.keys(values));
    },
    /** @returns whether it is another state than before */
    async setTargetState(id: string, state: TargetState, at: number): Promise<boolean> {
      const changed = await db('backup_targets').where({ id }).whereNot({ state }).update({ state });
      await db('backup_targets').where({ id }).update({ state_at: at });
      return changed > 0;
    },
    /** With its plans, runs and the index of its copies; the files there stay. */
    async removeTarget(id: string, trx: Db): Promise<boolean> {
      return (await trx('backup_targets').where({ id }).delete()) > 0;
    },
    async listPlans(): Promise<PlanRecord[]> {
      const rows: PlanRow[] = await plans().orderBy('backup_plans.name');
      return rows.map(toPlan);
    },
    async findPlan(id: string): Promise<PlanRecord | undefined> {
      const row: PlanRow | undefined = await plans().where('backup_plans.id', id).first();
      return row && toPlan(row);
    },
    async insertPlan(plan: PlanWrite, at: number, trx: Db): Promise<void> {
      await trx('backup_plans').insert({ id: plan.id, created_at: at, ...toPlanRow(plan, at) });
    },
    async updatePlan(plan: PlanWrite, at: number, trx: Db): Promise<boolean> {
      return (await trx('backup_plans').where({ id: plan.id }).update(toPlanRow(plan, at))) > 0;
    },
    async removePlan(id: string, trx: Db): Promise<boolean> {
      return (await trx('backup_plans').where({ id }).delete()) > 0;
    },
    async setCopiedTo(id: string, copiedToAt: number, trx: Db): Promise<void> {
      await trx('backup_plans').where({ id }).update({ copied_to_at: copiedToAt });
    },
  };
}
export type TargetStore = ReturnType<typeof createTargetStore>;
