import { buildApp } from './app.ts';
import { ConfigError, loadConfig } from './config.ts';
import { NewerDatabaseError } from './db/migrate.ts';
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
}

main().catch((error: unknown) => {
  const isExpected = error instanceof ConfigError || error instanceof NewerDatabaseError;
  process.stderr.write(`${isExpected ? error.message : String((error as Error)?.stack ?? error)}\n`);
  process.exit(1);
});
