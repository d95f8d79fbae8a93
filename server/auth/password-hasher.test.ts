import { expect, it } from 'vitest';
import { createPasswordHasher } from './password-hasher.ts';

it('tells the right password from a wrong one, by argon2id with a salt of its own', async () => {
  const hasher = createPasswordHasher();
  const [one, two] = await Promise.all([hasher.hash('密码-password'), hasher.hash('密码-password')]);
  expect(one).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  expect(one).not.toBe(two);
  expect(await hasher.verify(one, '密码-password')).toBe(true);
  expect(await hasher.verify(one, '密码-passwore')).toBe(false);
});

it('is never right for nobody, the decoy’s own password included, and does the work of a real check', async () => {
  const hasher = createPasswordHasher();
  expect(await hasher.verify(undefined, 'nobody has this password')).toBe(false);
  const real = await hasher.hash('x');
  const cpuMs = async (work: () => Promise<unknown>) => {
    const before = process.cpuUsage();
    for (let index = 0; index < 5; index++) await work();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  };
  const known = await cpuMs(() => hasher.verify(real, 'y'));
  const unknown = await cpuMs(() => hasher.verify(undefined, 'y'));
  expect(unknown).toBeGreaterThan(known / 4); // without the decoy it is near nothing
});

it('refuses when too many wait, and works on afterwards', async () => {
  const hasher = createPasswordHasher({ concurrency: 1, maxWaiting: 2 });
  const results = await Promise.allSettled(Array.from({ length: 5 }, () => hasher.hash('x')));
  expect(results.map((result) => result.status).sort()).toEqual([
    'fulfilled',
    'fulfilled',
    'fulfilled',
    'rejected',
    'rejected',
  ]);
  expect(results.find((result) => result.status === 'rejected')).toMatchObject({
    reason: { code: 'unavailable' },
  });
  await expect(hasher.hash('x')).resolves.toContain('$argon2id$');
});
