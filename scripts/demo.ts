import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, fetch } from 'undici';
import { startHospital, type Hospital } from '../test/simulators/hospital.ts';
import { startControl } from '../test/simulators/control.ts';
import { logIn } from './demo/api-client.ts';
import { furnish } from './demo/furnish.ts';
import { loadOrMakeLogins, type DemoLogin } from './demo/logins.ts';

/**
 * The console against the simulated hospital: real protocol peers on loopback, the real server in a process of its own.
 * The site and the people are entered through the API; finding the cameras is left to the visitor.
 */
const subnet = '127.0.10';
const readyWithinMs = 60_000;

async function main(): Promise<void> {
  const dataDir = resolve(process.env.DATA_DIR || './data/demo');
  mkdirSync(dataDir, { recursive: true });
  const logins = loadOrMakeLogins(dataDir, process.env.ADMIN_PASSWORD);
  const port = Number(process.env.PORT || 8443);
  const isTlsOn = process.env.TLS !== 'off';
  const origin = `${isTlsOn ? 'https' : 'http'}://localhost:${port}`;

  say('Starting the simulated hospital 正在启动模拟医院 …');
  const hospital = await startHospital({ subnet, odd: true, main: { width: 960, height: 540 } });
  const control = await startControl(hospital);
  say('Starting the console 正在启动控制台 …');
  const server = startServer(dataDir, logins);
  const stop = stopper(server, hospital, control);
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  try {
    const ca = await waitUntilReady(server, origin, isTlsOn ? join(dataDir, 'keys', 'tls.crt') : undefined);
    const admin = logins.find((login) => login.role === 'admin');
    const client = await logIn(origin, ca, 'admin', admin?.password ?? '');
    await furnish(client, hospital, logins, [`${subnet}.0/24`]);
    await client.close();
  } catch (error) {
    say(
      `\n${error instanceof Error ? error.message : String(error)}\nThe console's log is ${join(dataDir, 'server.log')}`,
    );
    await stop();
    process.exit(1);
  }
  printWelcome(origin, control.url, logins, hospital, dataDir);
}

function startServer(dataDir: string, logins: readonly DemoLogin[]): ChildProcess {
  const server = spawn(process.execPath, [new URL('../server/main.ts', import.meta.url).pathname], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      HOST: process.env.HOST || '127.0.0.1',
      DATA_DIR: dataDir,
      ADMIN_PASSWORD: logins.find((login) => login.role === 'admin')?.password,
      CAMERA_NETWORKS: `${subnet}.0/24`,
    },
  });
  const log = createWriteStream(join(dataDir, 'server.log'), { flags: 'a' });
  server.stdout?.pipe(log, { end: false });
  server.stderr?.pipe(log, { end: false });
  return server;
}

async function waitUntilReady(
  server: ChildProcess,
  origin: string,
  certFile: string | undefined,
): Promise<string | undefined> {
  const deadline = Date.now() + readyWithinMs;
  while (Date.now() < deadline) {
    if (server.exitCode !== null) throw new Error('The console ended before it was ready.');
    await sleep(250);
    if (certFile && !existsSync(certFile)) continue;
    const ca = certFile ? readFileSync(certFile, 'utf8') : undefined;
    const dispatcher = new Agent(ca === undefined ? {} : { connect: { ca, servername: 'localhost' } });
    try {
      const response = await fetch(`${origin}/api/welcome`, { dispatcher });
      if (response.ok) return ca;
    } catch (error) {
      if (Date.now() > deadline - 1000) throw error;
    } finally {
      await dispatcher.close();
    }
  }
  throw new Error('The console did not answer in time.');
}

function stopper(server: ChildProcess, hospital: Hospital, control: { close(): Promise<void> }) {
  let stopping: Promise<void> | undefined;
  return () => {
    stopping ??= (async () => {
      const ended = new Promise((done) => server.once('exit', done));
      if (server.exitCode === null && server.kill('SIGTERM')) await ended;
      await control.close();
      await hospital.close();
      process.exit();
    })();
    return stopping;
  };
}

function printWelcome(
  origin: string,
  controlUrl: string,
  logins: readonly DemoLogin[],
  hospital: Hospital,
  dataDir: string,
): void {
  const rows = logins.map(
    (login) =>
      `    ${login.username.padEnd(14)} ${login.password.padEnd(14)} ${login.role.padEnd(9)} ${login.displayName}`,
  );
  say(`
  Weian 维安 is running.   控制台已启动

    Console 控制台          ${origin}
    Break cameras 制造故障  ${controlUrl}
    Log 日志                ${join(dataDir, 'server.log')}

    user 用户名    password 密码  role 角色
${rows.join('\n')}

    camera login 摄像机账号  ${hospital.credentials.user} / ${hospital.credentials.password}

  First: log in as gongchengshi and find the cameras.  先以 gongchengshi 登录并“查找设备”。
  Ctrl-C ends everything.  按 Ctrl-C 结束。
`);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
});
