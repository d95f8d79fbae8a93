import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/**
 * Runs the benches of test/bench one after another, each in a process of its own, and shows what they print: a line of JSON with the figures
 * and their ratio to a reference measured in the same run. Names on the command line choose some of them.
 * Ends with 1 when a bench breaks; a target that is missed is a result, not a failure.
 */
const folder = new URL('../test/bench/', import.meta.url);
const shared = new Set(['clip.ts']);

async function main(): Promise<void> {
  const wanted = process.argv.slice(2);
  const all = readdirSync(folder).filter((name) => name.endsWith('.ts') && !shared.has(name));
  const chosen = all.filter((name) => wanted.length === 0 || wanted.includes(name.replace(/\.ts$/, '')));
  if (chosen.length === 0)
    throw new Error(`no such bench; there are: ${all.join(', ').replaceAll('.ts', '')}`);
  const broken: string[] = [];
  for (const name of chosen) {
    process.stdout.write(`\n== ${name.replace(/\.ts$/, '')}\n`);
    const child = spawn(process.execPath, [new URL(name, folder).pathname], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    createInterface({ input: child.stdout }).on('line', (line) => process.stdout.write(`${line}\n`));
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0) broken.push(name);
  }
  if (broken.length > 0) throw new Error(`broken: ${broken.join(', ')}`);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
