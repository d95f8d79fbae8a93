import type { Session, Welcome } from '#api/auth/schema.ts';
import { can, type Permission } from '#api/auth/permissions.ts';
import { api, ApiError, connectApi, toApiError } from './api.ts';
import { live } from './live.svelte.ts';
import { locale, type Locale } from './locale.svelte.ts';
import { site } from './time.svelte.ts';

/** Who is at the console. `loading` until the server has been asked once; `failed` when it could not be. */
class SessionState {
  current = $state.raw<Session | undefined>(undefined);
  welcome = $state.raw<Welcome | undefined>(undefined);
  status = $state<'loading' | 'ready' | 'failed'>('loading');
  problem = $state.raw<ApiError | undefined>(undefined);
  /** The session ended while somebody was working; the log-in page says so. */
  hasExpired = $state(false);

  constructor() {
    connectApi({
      csrfToken: () => this.current?.csrfToken,
      onSessionEnded: () => this.#end(true),
    });
  }

  /** Asks the server who this is. Never throws: see `status` and `problem`. */
  async load(): Promise<void> {
    this.status = 'loading';
    try {
      this.welcome = await api.get<Welcome>('/api/welcome');
      this.#begin(await api.get<Session>('/api/session'));
      this.status = 'ready';
    } catch (error) {
      const failure = toApiError(error);
      this.problem = failure;
      this.status = failure.status === 401 ? 'ready' : 'failed';
    }
  }

  /** @throws ApiError `auth.wrong-password`, `auth.locked`, … */
  async logIn(username: string, password: string): Promise<void> {
    const begun = await api.post<Session>('/api/session', { username, password });
    this.#begin(begun);
    if (begun.locale !== locale.current) locale.set(begun.locale);
  }

  /** Ends the session here and on the server. */
  async logOut(): Promise<void> {
    await api.delete('/api/session');
    this.#end(false);
  }

  /** Asks again for the session and welcome, after a password or name change. @throws ApiError */
  async refresh(): Promise<void> {
    this.welcome = await api.get<Welcome>('/api/welcome');
    this.#begin(await api.get<Session>('/api/session'));
  }

  /** Switches the language here and keeps it with the person. @throws ApiError when the server could not keep it */
  async setLocale(next: Locale): Promise<void> {
    locale.set(next);
    if (this.current) await api.patch('/api/me', { locale: next });
  }

  can(permission: Permission): boolean {
    return this.current !== undefined && can(this.current.role, permission);
  }

  #begin(session: Session): void {
    this.current = session;
    this.hasExpired = false;
    site.timeZone = session.siteTimeZone;
    if (!session.mustChangePassword) live.start(() => this.#end(true));
  }

  #end(hasExpired: boolean): void {
    this.hasExpired = hasExpired && this.current !== undefined;
    this.current = undefined;
    live.stop();
  }
}

export const session = new SessionState();
