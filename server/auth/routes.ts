import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { principalOf } from '#api/http/guard.ts';
import { Ok } from '#api/http/schema.ts';
import type { SettingsService } from '#api/settings/service.ts';
import type { SessionCookie } from './cookie.ts';
import {
  ChangeOwnPassword,
  ChangeOwnProfile,
  FirstRunRequest,
  LoginRequest,
  Session,
  Welcome,
} from './schema.ts';
import type { AuthService } from './service.ts';

export interface AuthRoutesOptions {
  readonly auth: AuthService;
  readonly cookie: SessionCookie;
  readonly settings: SettingsService;
  readonly version: string;
  readonly certificateFingerprint: string | null;
}

/** Above what a person types and what a room of people behind one address does at a change of shift. */
const logInsPerMinute = 30;

/** `/api/welcome`, `/api/session`, `/api/first-run` and `/api/me`. */
export function registerAuthRoutes(app: FastifyInstance, options: AuthRoutesOptions): void {
  const { auth, cookie, settings } = options;
  const typed = app.withTypeProvider<TypeBoxTypeProvider>();

  typed.get(
    '/api/welcome',
    { config: { isPublic: true }, schema: { response: { 200: Welcome } } },
    async () => ({
      hospitalName: settings.current().site.hospitalName,
      isFirstRun: !settings.current().setup.isDone,
      version: options.version,
      certificateFingerprint: options.certificateFingerprint,
    }),
  );

  typed.post(
    '/api/session',
    {
      config: { isPublic: true, rateLimit: { max: logInsPerMinute, timeWindow: 60_000 } },
      schema: { body: LoginRequest, response: { 200: Session } },
    },
    async (request, reply) => {
      const { token, session } = await auth.logIn(request.body, request);
      const previous = await auth.authenticate(request);
      if (previous) await auth.logOut(previous, request); // one browser, one session
      cookie.set(reply, token);
      return session;
    },
  );

  typed.get(
    '/api/session',
    {
      config: { permission: 'self', isOpenBeforePasswordChange: true },
      schema: { response: { 200: Session } },
    },
    (request) => auth.getSession(principalOf(request)),
  );

  typed.delete(
    '/api/session',
    { config: { permission: 'self', isOpenBeforePasswordChange: true }, schema: { response: { 200: Ok } } },
    async (request, reply) => {
      await auth.logOut(principalOf(request), request);
      cookie.clear(reply);
      return { ok: true as const };
    },
  );

  typed.post(
    '/api/first-run',
    {
      config: { permission: 'settings.edit', isOpenBeforePasswordChange: true },
      schema: { body: FirstRunRequest, response: { 200: Session } },
    },
    async (request) => {
      await auth.finishFirstRun(principalOf(request), request.body, request);
      return auth.getSession(principalOf(request));
    },
  );

  typed.patch(
    '/api/me',
    {
      config: { permission: 'self', isOpenBeforePasswordChange: true },
      schema: { body: ChangeOwnProfile, response: { 200: Session } },
    },
    async (request) => {
      await auth.changeOwnProfile(principalOf(request), request.body);
      return auth.getSession(principalOf(request));
    },
  );

  typed.post(
    '/api/me/password',
    {
      config: { permission: 'self', isOpenBeforePasswordChange: true },
      schema: { body: ChangeOwnPassword, response: { 200: Session } },
    },
    async (request) => {
      await auth.changeOwnPassword(principalOf(request), request.body, request);
      return auth.getSession(principalOf(request));
    },
  );
}
