import { createHash } from 'node:crypto';
import { existsSync, openAsBlob } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { loadConfig } from '#api/config.ts';
import { loadOrMakeSigningKey } from '#api/cases/signing-key.ts';
import { verifyPackage, type Finding, type Verdict } from '../web/features/verify/verify-package.ts';

/**
 * `npm run verify -- package.zip [--key fingerprint]`: says whether an evidence package is as it was signed. On the server itself the key is
 * known; elsewhere give the fingerprint that the hospital published. Exit code 0: intact, 1: altered or unknown key, 2: could not be checked.
 */
async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: { key: { type: 'string', multiple: true } },
    allowPositionals: true,
  });
  const [path, ...more] = positionals;
  if (path === undefined || more.length > 0) {
    say('Usage: npm run verify -- package.zip [--key fingerprint]');
    return 2;
  }
  if (!existsSync(path)) {
    say(`There is no file ${resolve(path)}. / 没有此文件。`);
    return 2;
  }
  const given = (values.key ?? []).map((key) => key.toLowerCase().replaceAll(/[^0-9a-f]/g, ''));
  const verdict = await verifyPackage(await openAsBlob(path), {
    knownFingerprints: [...given, ...ownFingerprint()],
    createSha256() {
      const hash = createHash('sha256');
      return { update: (bytes) => hash.update(bytes), digest: () => hash.digest('hex') };
    },
  });
  for (const line of describe(verdict)) say(line);
  return verdict.outcome === 'intact' ? 0 : verdict.outcome === 'not-a-package' ? 2 : 1;
}

/** Of this installation's key, where there is one; none is made. */
function ownFingerprint(): string[] {
  const { keysDir } = loadConfig(process.env);
  return existsSync(join(keysDir, 'evidence-signing.key')) ? [loadOrMakeSigningKey(keysDir).fingerprint] : [];
}

const problems: Readonly<Record<Finding['problem'], string>> = {
  altered: 'ALTERED / 已被改动',
  missing: 'MISSING / 缺失',
  added: 'ADDED, not in the manifest / 多出，不在清单中',
  duplicate: 'TWICE in the package / 重复',
  repacked: 'REPACKED: compressed or encrypted / 已被重新压缩',
  'unsafe-name': 'UNSAFE NAME / 危险的文件名',
  'hidden-data': 'DATA that no file owns / 含有不属于任何文件的数据',
  'manifest-changed': 'THE MANIFEST WAS CHANGED: its signature does not fit / 清单被改动，签名不符',
  unreadable: 'UNREADABLE / 无法读取',
};

function describe({ outcome, findings, fingerprint, manifest, filesChecked }: Verdict): string[] {
  const found = findings.map(({ path, problem }) => `  ${path || '(ZIP)'}: ${problems[problem]}`);
  if (outcome === 'not-a-package') return ['This is not an evidence package. / 这不是证据包。', ...found];
  const head =
    outcome === 'intact'
      ? `INTACT: ${filesChecked} files are as they were signed, by a known key. / 完整，未被改动。`
      : outcome === 'unknown-key'
        ? `UNKNOWN KEY: ${filesChecked} files are as they were signed, but the key is not known here. Compare its fingerprint with the one the hospital published. / 密钥未知，请与院方公布的指纹核对。`
        : 'ALTERED since it was signed: / 已被改动：';
  return [
    head,
    ...found,
    ...(manifest
      ? [`Case ${manifest.case.number}, package ${manifest.package.number}, made ${manifest.package.madeAt}`]
      : []),
    `Key: ${fingerprint ?? 'none / 无'}`,
  ];
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    say(`The package could not be checked: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 2;
  },
);
