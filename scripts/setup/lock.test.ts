import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

interface LockedPackage {
  optionalDependencies?: Record<string, string>;
}

// "npm install" leaves an optional package for another platform out of the lock where the registry does not carry it, and
// "npm ci" then refuses that very lock. Such an entry is added by hand, from what the parent names: version, os, cpu, libc.
test('npm ci accepts the lock: every optional package that a package names is in it', () => {
  const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
    packages: Record<string, LockedPackage>;
  };
  const missing = Object.entries(lock.packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies)
      .filter(
        (name) => !lock.packages[`node_modules/${name}`] && !lock.packages[`${path}/node_modules/${name}`],
      )
      .map((name) => `${name} (of ${path})`),
  );
  expect(missing).toEqual([]);
});
