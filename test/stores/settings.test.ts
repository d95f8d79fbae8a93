import type { Knex } from 'knex';
import { beforeEach, expect, it, vi } from 'vitest';
import { migrate } from '#api/db/migrate.ts';
import { createEventBus } from '#api/events/bus.ts';
import { createLogger } from '#api/log.ts';
import { createSettingsService, defaultSettings } from '#api/settings/service.ts';
import { describeOnBoth } from './both-databases.ts';

describeOnBoth(({ create, open }) => {
  let db: Knex;
  const badRows = vi.fn();
  const bus = createEventBus({ now: Date.now, log: createLogger({ logLevel: 'silent' }) });
  const load = () =>
    createSettingsService({
      db,
      bus,
      now: () => 5,
      defaults: defaultSettings(['10.1.0.0/16']),
      onBadRow: badRows,
    });
  beforeEach(async () => {
    db = open(await create());
    await migrate(db);
    badRows.mockClear();
  });

  it('starts with the defaults, and keeps a change over a restart', async () => {
    const settings = await load();
    expect(settings.current()).toEqual(defaultSettings(['10.1.0.0/16']));
    await settings.change({ site: { hospitalName: '第一人民医院' } }, 'user-1');
    await settings.change(
      { site: { hospitalName: '都江堰市人民医院' }, network: { cameraNetworks: [] } },
      'user-1',
    );
    const reloaded = (await load()).current();
    expect(reloaded).toEqual(settings.current());
    expect(reloaded).toMatchObject({
      site: { hospitalName: '都江堰市人民医院' },
      network: { cameraNetworks: [] },
    });
    expect(await db('settings').where({ key: 'site' })).toMatchObject([
      { updated_by: 'user-1', updated_at: 5 },
    ]);
  });

  it('refuses a group that does not fit, and changes nothing', async () => {
    const settings = await load();
    const change = settings.change(
      { site: { hospitalName: 'x' }, network: { cameraNetworks: ['10.1.0.0/99'] } },
      'user-1',
    );
    await expect(change).rejects.toMatchObject({
      code: 'request.invalid',
      details: { fields: [{ path: '/network' }] },
    });
    expect(settings.current().site.hospitalName).toBe('');
    expect(await db('settings')).toEqual([]);
  });

  it('changes nothing, in memory or in the database, when what belongs to the change fails', async () => {
    const settings = await load();
    const heard = vi.fn();
    const end = bus.on('settings.changed', heard);
    const change = settings.change({ site: { hospitalName: 'x' } }, 'user-1', async () => {
      throw new Error('the trail is full');
    });
    await expect(change).rejects.toThrow('the trail is full');
    end();
    expect(settings.current().site.hospitalName).toBe('');
    expect((await load()).current().site.hospitalName).toBe('');
    expect(heard).not.toHaveBeenCalled();
  });

  it('reports a row that no longer fits and uses the default', async () => {
    const row = { updated_at: 0, updated_by: null };
    await db('settings').insert([
      { key: 'site', value_json: '{"hospitalName":7}', ...row },
      { key: 'of-old', value_json: '{}', ...row },
      { key: 'network', value_json: '{"cameraNetworks":["10.9.0.0/16"]}', ...row },
    ]);
    const settings = await load();
    expect(settings.current()).toMatchObject({
      site: { hospitalName: '' },
      network: { cameraNetworks: ['10.9.0.0/16'] },
    });
    expect(badRows.mock.calls.flat().sort()).toEqual(['of-old', 'site']);
  });
});
