import { createHash } from 'node:crypto';
import { connect, type Socket } from 'node:net';

/** RTP packet of an interleaved stream, as far as tests look at it. */
export interface RtpPacket {
  marker: boolean;
  timestamp: number;
  /** Epoch ms from the ONVIF replay header extension (0xABAC), null without one. */
  ntpAt: number | null;
}

export interface RtspAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

const NTP_EPOCH_S = 2_208_988_800;
const md5 = (text: string): string => createHash('md5').update(text).digest('hex');

/**
 * A bare RTSP client over TCP for the tests: any header can be sent, every answer and RTP packet is seen. Independent of
 * the product's own client on purpose.
 */
export class RtspClient {
  readonly packets: RtpPacket[] = [];
  readonly #socket: Socket;
  readonly #account: { user: string; password: string };
  readonly #answers: RtspAnswer[] = [];
  #wake: () => void = () => undefined;
  #buffer: Buffer = Buffer.alloc(0);
  #challenge: Record<string, string> | undefined;
  #cseq = 0;
  isClosed = false;

  private constructor(socket: Socket, account: { user: string; password: string }) {
    this.#socket = socket;
    this.#account = account;
    socket.on('data', (chunk: Buffer) => {
      this.#buffer = Buffer.concat([this.#buffer, chunk]);
      this.#read();
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.isClosed = true;
      this.#wake();
    });
  }

  static async open(url: string, account: { user: string; password: string }): Promise<RtspClient> {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return new RtspClient(socket, account);
  }

  #read(): void {
    for (;;) {
      const b = this.#buffer;
      if (b[0] === 0x24) {
        const size = b.length >= 4 ? b.readUInt16BE(2) : Infinity;
        if (b.length < 4 + size) return;
        if (b[1] === 0) this.#rtp(b.subarray(4, 4 + size));
        this.#buffer = b.subarray(4 + size);
        continue;
      }
      const end = b.indexOf('\r\n\r\n');
      if (end < 0) return;
      const [first, ...lines] = b.subarray(0, end).toString().split('\r\n');
      const headers = Object.fromEntries(
        lines.map((l) => [l.slice(0, l.indexOf(':')).toLowerCase(), l.slice(l.indexOf(':') + 1).trim()]),
      ) as Record<string, string>;
      const length = Number(headers['content-length'] ?? 0);
      if (b.length < end + 4 + length) return;
      const body = b.subarray(end + 4, end + 4 + length).toString();
      this.#buffer = b.subarray(end + 4 + length);
      this.#answers.push({ status: Number(first!.split(' ')[1]), headers, body });
      this.#wake();
    }
  }

  #rtp(packet: Buffer): void {
    const csrc = packet[0]! & 0x0f;
    const at = 12 + csrc * 4;
    const isReplay = (packet[0]! & 0x10) !== 0 && packet.readUInt16BE(at) === 0xabac;
    const ntpAt = isReplay
      ? (packet.readUInt32BE(at + 4) - NTP_EPOCH_S) * 1000 + (packet.readUInt32BE(at + 8) / 2 ** 32) * 1000
      : null;
    this.packets.push({ marker: (packet[1]! & 0x80) !== 0, timestamp: packet.readUInt32BE(4), ntpAt });
  }

  /** Sends one request, with Digest when the server asked for it. @throws Error when the connection ends or 10 s pass. */
  async request(method: string, url: string, headers: Record<string, string> = {}): Promise<RtspAnswer> {
    const answer = await this.#once(method, url, headers);
    const wanted = answer.headers['www-authenticate'];
    if (answer.status !== 401 || this.#challenge !== undefined || !wanted) return answer;
    this.#challenge = Object.fromEntries([...wanted.matchAll(/(\w+)="([^"]*)"/g)].map((m) => [m[1]!, m[2]!]));
    return this.#once(method, url, headers);
  }

  async #once(method: string, url: string, headers: Record<string, string>): Promise<RtspAnswer> {
    const all: Record<string, string> = { CSeq: String(++this.#cseq), ...headers };
    if (this.#challenge) {
      const { realm = '', nonce = '' } = this.#challenge;
      const { user, password } = this.#account;
      const response = md5(`${md5(`${user}:${realm}:${password}`)}:${nonce}:${md5(`${method}:${url}`)}`);
      all['Authorization'] =
        `Digest username="${user}", realm="${realm}", nonce="${nonce}", uri="${url}", response="${response}"`;
    }
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
    this.#socket.write(`${method} ${url} RTSP/1.0\r\n${lines.join('\r\n')}\r\n\r\n`);
    const untilAt = Date.now() + 10_000;
    while (this.#answers.length === 0) {
      if (this.isClosed) throw new Error(`${method}: the connection was closed`);
      if (Date.now() > untilAt) throw new Error(`${method}: no answer`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        setTimeout(resolve, 250);
      });
    }
    return this.#answers.shift()!;
  }

  /** DESCRIBE, SETUP of the first track over TCP, PLAY with `headers`; the answer to PLAY, or to what failed before. */
  async play(
    url: string,
    headers: Record<string, string> = {},
    setup: Record<string, string> = {},
  ): Promise<RtspAnswer> {
    const described = await this.request('DESCRIBE', url, { Accept: 'application/sdp' });
    if (described.status !== 200) return described;
    const control = /m=video[\s\S]*?a=control:(\S+)/.exec(described.body)?.[1] ?? '';
    const base = described.headers['content-base'] ?? url;
    const track = control.startsWith('rtsp:') ? control : `${base.replace(/\/$/, '')}/${control}`;
    const transport = 'RTP/AVP/TCP;unicast;interleaved=0-1';
    const ready = await this.request('SETUP', track, { Transport: transport, ...setup });
    if (ready.status !== 200) return ready;
    const session = ready.headers['session']!.split(';')[0]!;
    return this.request('PLAY', base, { Session: session, ...headers });
  }

  close(): void {
    this.#socket.destroy();
  }
}
