import { Agent, fetch } from 'undici';
import type { Session } from '#api/auth/schema.ts';

/** A logged-in person's view of the console's API, over its own certificate and nothing else. */
export interface ApiClient {
  readonly session: Session;
  /** @throws Error with the server's answer when it is not 2xx */
  send<T>(method: string, path: string, body?: unknown): Promise<T>;
  /** Sends bytes as they are. */
  upload(path: string, mime: string, bytes: Uint8Array): Promise<void>;
  /** Logs in to the same console as somebody else. */
  another(username: string, password: string): Promise<ApiClient>;
  close(): Promise<void>;
}

/**
 * Logs in. @param ca PEM of the console's self-made certificate; undefined for plain HTTP
 * @throws Error when the name or password is refused
 */
export async function logIn(
  origin: string,
  ca: string | undefined,
  username: string,
  password: string,
): Promise<ApiClient> {
  const dispatcher = new Agent(ca === undefined ? {} : { connect: { ca, servername: 'localhost' } });
  let cookie = '';
  let csrfToken = '';
  async function request(method: string, path: string, mime: string, body: string | Uint8Array | undefined) {
    const response = await fetch(`${origin}${path}`, {
      method,
      dispatcher,
      headers: {
        cookie,
        'x-csrf-token': csrfToken,
        ...(body === undefined ? {} : { 'content-type': mime }),
      },
      ...(body === undefined ? {} : { body }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
    return { text, cookies: response.headers.getSetCookie() };
  }

  const credentials = JSON.stringify({ username, password });
  const answer = await request('POST', '/api/session', 'application/json', credentials);
  cookie = answer.cookies.map((line) => line.split(';')[0]).join('; ');
  const session = JSON.parse(answer.text) as Session;
  csrfToken = session.csrfToken;
  return {
    session,
    async send(method, path, body) {
      const payload = body === undefined ? undefined : JSON.stringify(body);
      const { text } = await request(method, path, 'application/json', payload);
      return (text === '' ? undefined : JSON.parse(text)) as never;
    },
    async upload(path, mime, bytes) {
      await request('PUT', path, mime, bytes);
    },
    another: (name, secret) => logIn(origin, ca, name, secret),
    close: () => dispatcher.close(),
  };
}
