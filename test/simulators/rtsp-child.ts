import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { RtspState } from './faults.ts';

/** Debian's own interpreter: it has the GStreamer bindings, another `python3` on the path may not. */
export const PYTHON = '/usr/bin/python3';
const READY_TIMEOUT_MS = 20_000;
const ANSWER_TIMEOUT_MS = 15_000;
const QUIT_TIMEOUT_MS = 3_000;

/** What rtsp/server.py is told of one stream. */
export interface RtspStreamConfig {
  path: string;
  number: number;
  name: string;
  scene: string;
  sign: string;
  width: number;
  height: number;
  fps: number;
  counterFps: number;
  gopS: number;
  codec: string;
  bFrames: number;
  audio: string | null;
  bitrateKbps: number;
}

export interface RtspDeviceConfig {
  id: string;
  address: string;
  port: number;
  user: string;
  password: string;
  realm: string;
  streams: RtspStreamConfig[];
  /** Recorded files; time 0 of each is `startS`, epoch seconds. */
  replays: { path: string; file: string; startS: number }[];
}

/** `clients` carries the number of open connections. */
export interface RtspEvent {
  event: 'describe' | 'play' | 'clients' | 'refused';
  device: string;
  count?: number;
}

type Message = {
  ready?: boolean;
  id?: number;
  ok?: boolean;
  error?: string;
  jpeg?: string;
} & Partial<RtspEvent>;

/** The Python process that serves RTSP for every device; spoken to by JSON lines. It ends when its stdin closes. */
export class RtspChild {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (message: Message) => void>();
  readonly #exited: Promise<void>;
  #nextId = 1;
  #stderr = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#exited = new Promise((resolve) => child.once('exit', () => resolve()));
    child.stderr!.on(
      'data',
      (chunk: Buffer) => (this.#stderr = (this.#stderr + chunk.toString()).slice(-4000)),
    );
    // A write to a process that is gone is told by its exit, not by this event.
    child.stdin!.on('error', (error) => (this.#stderr += String(error)));
  }

  /** @throws Error when Python or GStreamer is missing, or an address cannot be bound. */
  static async start(devices: RtspDeviceConfig[], onEvent: (event: RtspEvent) => void): Promise<RtspChild> {
    const script = new URL('rtsp/server.py', import.meta.url).pathname;
    const self = new RtspChild(
      spawn(PYTHON, [script], {
        stdio: ['pipe', 'pipe', 'pipe'],
        env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
      }),
    );
    await new Promise<void>((resolve, reject) => {
      const fail = (why: string): void => reject(new Error(`The RTSP simulator ${why}: ${self.#stderr}`));
      const timer = setTimeout(() => fail('did not start in time'), READY_TIMEOUT_MS);
      self.#child.once('error', (error) => fail(error.message));
      self.#child.once('exit', () => fail('ended'));
      createInterface({ input: self.#child.stdout! }).on('line', (line) => {
        const message = JSON.parse(line) as Message;
        if (message.ready) {
          clearTimeout(timer);
          resolve();
        } else if (message.id !== undefined) self.#waiting.get(message.id)?.(message);
        else onEvent(message as RtspEvent);
      });
      self.#child.stdin!.write(`${JSON.stringify({ devices })}\n`);
    });
    return self;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Puts a device into `state`; resolved when it is so on the wire. */
  async apply(device: string, state: RtspState): Promise<void> {
    await this.#ask({ op: 'state', device, state });
  }

  /** A JPEG of what the stream at `path` shows now. */
  async snapshot(device: string, path: string): Promise<Buffer> {
    const { jpeg } = await this.#ask({ op: 'snapshot', device, path });
    return Buffer.from(jpeg ?? '', 'base64');
  }

  async #ask(command: object): Promise<Message> {
    const id = this.#nextId++;
    const message = await new Promise<Message>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`The RTSP simulator did not answer: ${this.#stderr}`)),
        ANSWER_TIMEOUT_MS,
      );
      this.#waiting.set(id, (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
      this.#child.stdin!.write(`${JSON.stringify({ id, ...command })}\n`);
    }).finally(() => this.#waiting.delete(id));
    if (!message.ok) throw new Error(`RTSP simulator: ${message.error}`);
    return message;
  }

  /** Closes the pipe, waits for the process, kills it if it does not go. Safe to repeat. */
  async close(): Promise<void> {
    this.#child.stdin!.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), QUIT_TIMEOUT_MS);
    await this.#exited;
    clearTimeout(timer);
  }
}
