import { expect, it } from 'vitest';
import { createDeviceRegister } from './register.ts';
import type { DeviceRecord, DeviceStore } from './store.ts';

const device = (name: string) =>
  ({ id: 'd1', name, removedAt: null, channels: [{ id: 'c1' }] }) as unknown as DeviceRecord;

it('knows a device all the while it is read again, and then as it is now', async () => {
  let answer: (found: DeviceRecord | undefined) => void = () => undefined;
  const store = {
    list: async () => [device('before')],
    find: () => new Promise<DeviceRecord | undefined>((resolve) => (answer = resolve)),
  } as unknown as DeviceStore;
  const register = await createDeviceRegister(store);
  const reloading = register.reload('d1');
  await Promise.resolve();
  expect(register.find('d1')?.name).toBe('before');
  expect(register.findChannel('c1')?.device.name).toBe('before');
  expect(register.list()).toHaveLength(1);
  answer(device('after'));
  await reloading;
  expect(register.find('d1')?.name).toBe('after');
  const removing = register.reload('d1');
  await Promise.resolve();
  answer(undefined);
  await removing;
  expect(register.findChannel('c1')).toBeUndefined();
  expect(register.list()).toEqual([]);
});
