import type { ErrorBody } from '#api/http/schema.ts';
import { m } from '../paraglide/messages.js';
import { locale } from './locale.svelte.ts';
import { clock } from './time.svelte.ts';
import { logDebug } from './log.ts';

const timeoutMs = 30_000;

/** A request that failed: the server's own code and sentence, or `offline` / `timeout` / `bad-answer` where none came. */
export class ApiError extends Error {
  readonly code: string;
  /** HTTP status; 0 when no answer came. */
  readonly status: number;
  readonly requestId: string | null;
  readonly isRetryable: boolean;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(body: Omit<ErrorBody, 'requestId'> & { requestId: string | null }, status: number) {
    super(body.message);
    this.name = 'ApiError';
    this.code = body.code;
    this.status = status;
    this.requestId = body.requestId;
    this.isRetryable = body.isRetryable;
    this.details = body.details ?? {};
  }

  /** What the server says of field `name` (`/cameraNetworks` covers `/cameraNetworks/2`), or undefined. */
  fieldProblem(name: string): string | undefined {
    const fields = this.details.fields;
    if (!Array.isArray(fields)) return undefined;
    for (const entry of fields as FieldProblem[]) {
      const path = String(entry.path ?? '');
      if (path === `/${name}` || path.startsWith(`/${name}/`)) return fieldText(entry);
    }
    return undefined;
  }
}

interface FieldProblem {
  path?: unknown;
  problem?: unknown;
  /** Keyword of JSON Schema, with its number. */
  rule?: unknown;
  limit?: unknown;
}

/** What is wrong with a field, in the reader's language as far as the rule is known here. */
function fieldText({ problem, rule, limit }: FieldProblem): string {
  const value = String(limit ?? '');
  switch (rule) {
    case 'minimum':
      return m.common_field_minimum({ limit: value });
    case 'maximum':
      return m.common_field_maximum({ limit: value });
    case 'minLength':
      return m.common_field_min_length({ limit: value });
    case 'maxLength':
      return m.common_field_max_length({ limit: value });
    case 'minItems':
      return m.common_field_min_items({ limit: value });
    case 'maxItems':
      return m.common_field_max_items({ limit: value });
    case 'type':
    case 'required':
      return m.common_field_type();
    case 'pattern':
    case 'format':
      return m.common_field_format();
    default:
      return m.common_field_invalid({ problem: String(problem ?? '') });
  }
}

/** Any thrown value as an ApiError, so that views have one shape to show. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const isTimeout = error instanceof DOMException && error.name === 'TimeoutError';
  return new ApiError(
    {
      code: isTimeout ? 'timeout' : 'offline',
      message: isTimeout ? m.common_error_timeout() : m.common_error_offline(),
      requestId: null,
      isRetryable: true,
    },
    0,
  );
}

/** Whether a request was given up on purpose, as when a view is left; nothing to show then. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError';
}

interface Hooks {
  csrfToken: () => string | undefined;
  onSessionEnded: () => void;
}
let hooks: Hooks = { csrfToken: () => undefined, onSessionEnded: () => undefined };

/** Set once by the session, which knows the token and what to do when it is over. */
export function connectApi(next: Hooks): void {
  hooks = next;
}

export type QueryValue = string | number | boolean | null | undefined;
type Query = Readonly<Record<string, QueryValue>>;
export interface RequestOptions {
  readonly query?: Query;
  readonly body?: unknown;
  /** Sent as it is, with its own content type, in place of JSON. */
  readonly file?: Blob;
  readonly signal?: AbortSignal;
  /** A status above 299 whose body is an answer all the same. */
  readonly alsoOk?: number;
}

/** `/api/x?limit=5`; null, undefined and empty values are left out. */
export function withQuery(path: string, query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query))
    if (value !== null && value !== undefined && value !== '') search.set(key, String(value));
  const text = search.toString();
  return text === '' ? path : `${path}?${text}`;
}

/**
 * One request. Returns the parsed JSON body as `T`, the response type of the route's schema.
 * @throws ApiError for everything but an abort of `signal`, which passes as it is
 */
export async function request<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
  const { response, answer } = await exchange(method, path, options, readJson);
  if (response.ok || response.status === options.alsoOk) return answer as T;
  throw failureOf(response, answer);
}

/**
 * One request whose answer is no JSON: a picture, or lines that come one by one. The answer's status is good; its body is not read yet.
 * @param options.isLong the answer may take longer than a request usually does; only `signal` ends it
 * @throws ApiError, as {@link request}
 */
export async function requestRaw(
  method: string,
  path: string,
  options: RequestOptions & { readonly isLong?: boolean } = {},
): Promise<Response> {
  const { response, answer } = await exchange(method, path, options, (came) =>
    came.ok ? undefined : readJson(came),
  );
  if (response.ok) return response;
  throw failureOf(response, answer);
}

async function exchange(
  method: string,
  path: string,
  options: RequestOptions & { readonly isLong?: boolean },
  read: (response: Response) => unknown,
): Promise<{ response: Response; answer: unknown }> {
  const { query, body, file, signal } = options;
  const headers: Record<string, string> = { accept: 'application/json', 'accept-language': locale.current };
  const csrfToken = hooks.csrfToken();
  if (method !== 'GET' && csrfToken !== undefined) headers['x-csrf-token'] = csrfToken;
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (file) headers['content-type'] = file.type;
  const ends = [...(signal ? [signal] : []), ...(options.isLong ? [] : [AbortSignal.timeout(timeoutMs)])];
  try {
    const response = await fetch(withQuery(path, query), {
      method,
      headers,
      body: file ?? (body === undefined ? null : JSON.stringify(body)),
      signal: AbortSignal.any(ends),
      credentials: 'same-origin',
    });
    clock.noteServerDate(response.headers.get('date'));
    return { response, answer: await read(response) };
  } catch (error) {
    if (signal?.aborted) throw error;
    throw toApiError(error);
  }
}

async function readJson(response: Response): Promise<unknown> {
  const text = await response.text();
  return text === '' ? undefined : parseJson(text);
}

function failureOf(response: Response, answer: unknown): ApiError {
  const failure = new ApiError(errorBodyOf(answer), response.status);
  if (failure.code === 'auth.required') hooks.onSessionEnded();
  return failure;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    logDebug('the server answered no JSON', error);
    throw new ApiError(badAnswer(), 0);
  }
}

function badAnswer() {
  return { code: 'bad-answer', message: m.common_error_bad_answer(), requestId: null, isRetryable: true };
}

function errorBodyOf(answer: unknown): ConstructorParameters<typeof ApiError>[0] {
  const body = answer as Partial<ErrorBody> | undefined;
  if (typeof body?.code !== 'string' || typeof body.message !== 'string') return badAnswer();
  return {
    code: body.code,
    message: body.message,
    requestId: body.requestId ?? null,
    isRetryable: body.isRetryable ?? false,
    ...(body.details ? { details: body.details } : {}),
  };
}

/** The verbs the features use; each names its response type: `api.get<Static<typeof TicketList>>('/api/tickets')`. */
export const api = {
  get: <T>(path: string, query?: Query, signal?: AbortSignal) =>
    request<T>('GET', path, { ...(query ? { query } : {}), ...(signal ? { signal } : {}) }),
  post: <T>(path: string, body?: unknown, signal?: AbortSignal) =>
    request<T>('POST', path, { body, ...(signal ? { signal } : {}) }),
  patch: <T>(path: string, body: unknown) => request<T>('PATCH', path, { body }),
  delete: <T>(path: string) => request<T>('DELETE', path),
  putFile: <T>(path: string, file: Blob, query?: Query) =>
    request<T>('PUT', path, { file, ...(query ? { query } : {}) }),
};
