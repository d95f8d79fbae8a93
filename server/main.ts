import { networkInterfaces } from 'node:os';
import { buildApp } from './app.ts';
import { firstAdminName } from './auth/first-admin.ts';
import { SecretKeyError } from './auth/secret-box.ts';
import { ConfigError, loadConfig, type Config } from './config.ts';
import { NewerDatabaseError } from './db/migrate.ts';
import { CertificateError } from './http/tls.ts';
import { createLogger } from './log.ts';

/** Process entry: configuration → parts → listen; SIGTERM and SIGINT close everything in reverse order. */
async function main(): Promise<void> {
  const config = loadConfig(process.env);
  const log = createLogger(config);
  const weian = await buildApp(config, { log });
  let isStopping = false;
  const stop = (signal: string) => {
    if (isStopping) return;
    isStopping = true;
    log.info({ signal }, 'stopping');
    weian.close().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, 'could not stop cleanly');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);

  await weian.start();
  await weian.http.listen({ host: config.host, port: config.port });
  log.info({ port: config.port, tls: config.isTlsOn }, 'listening');
  if (weian.oneTimePassword !== undefined) showFirstPassword(weian.oneTimePassword, addressesOf(config));
}

/** Said once, to whoever stands at the server; neither the log nor the database has it. */
function showFirstPassword(password: string, addresses: readonly string[]): void {
  const lines = [
    '',
    '首次登录 / First log-in',
    ...addresses.map((address) => `  地址 address     ${address}`),
    `  用户名 user name  ${firstAdminName}`,
    `  密码 password    ${password}`,
    '此密码只显示一次，首次登录后须修改。The password is shown once and must be changed at the first log-in.',
    '',
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** Where a browser reaches the console; every address of this machine when it listens on all. */
function addressesOf({ host, port, isTlsOn }: Config): string[] {
  const isOnAll = host === '0.0.0.0' || host === '::';
  const own = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const reachable = own.filter((entry) => entry.family === 'IPv4' && !entry.internal);
  const hosts = isOnAll ? ['localhost', ...reachable.map((entry) => entry.address)] : [host];
  return hosts.map((name) => `${isTlsOn ? 'https' : 'http'}://${name}:${port}`);
}

main().catch((error: unknown) => {
  const isExpected = [ConfigError, NewerDatabaseError, SecretKeyError, CertificateError].some(
    (kind) => error instanceof kind,
  );
  process.stderr.write(
    `${isExpected ? (error as Error).message : String((error as Error)?.stack ?? error)}\n`,
  );
  process.exit(1);
});
