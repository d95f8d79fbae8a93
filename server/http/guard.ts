import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { can, type Permission, type Role } from '#api/auth/permissions.ts';
import { AppError, type ErrorCode } from '#api/errors.ts';

/** The person behind a request. */
export interface Principal {
  readonly userId: string;
  readonly username: string;
  readonly displayName: string;
  readonly role: Role;
  readonly sessionHash: string;
  readonly csrfToken: string;
  readonly mustChangePassword: boolean;
}

/**
 * Finds who asks, from the session cookie. Returns undefined for nobody; never throws for a bad cookie. With `isActivity` false (a
 * look by the program itself) the session's idle clock runs on.
 */
export type Authenticate = (
  request: FastifyRequest,
  options?: { isActivity?: boolean },
) => Promise<Principal | undefined>;
/** Told of every request refused to somebody logged in, so that the trail shows who tried what. */
export type OnDenied = (
  request: FastifyRequest,
  principal: Principal,
  refused: { readonly code: ErrorCode; readonly permission: Permission },
) => Promise<void>;

declare module 'fastify' {
  interface FastifyRequest {
    /** Set on every route that needs a permission. */
    principal: Principal | null;
  }
  interface FastifyContextConfig {
    /** What the caller needs. Every route has this or `isPublic`; a route with neither stops the start. */
    permission?: Permission;
    isPublic?: boolean;
    /** For the few routes a person with an initial password may still use. */
    isOpenBeforePasswordChange?: boolean;
  }
}

/** The person behind a guarded request. */
export function principalOf(request: FastifyRequest): Principal {
  if (!request.principal) throw new AppError('auth.required');
  return request.principal;
}

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Puts the permission check before every route: session, then CSRF for methods that change something, then the permission table.
 * Schema checks come after, so nobody learns a route's shape without the right to it.
 */
export function installGuard(
  app: FastifyInstance,
  { authenticate, onDenied }: { authenticate: Authenticate; onDenied: OnDenied },
): void {
  app.decorateRequest('principal', null);
  app.addHook('onRoute', (route) => {
    const config = route.config;
    if (!config?.isPublic && !config?.permission)
      throw new Error(`Route ${String(route.method)} ${route.url} names no permission and is not public`);
  });
  app.addHook('onRequest', async (request: FastifyRequest, _reply: FastifyReply) => {
    const { permission, isPublic } = request.routeOptions.config;
    if (isPublic || !permission) return;
    const principal = await authenticate(request);
    if (!principal) throw new AppError('auth.required');
    request.principal = principal;
    const code = refusal(request, principal);
    if (code) {
      await onDenied(request, principal, { code, permission });
      throw new AppError(code);
    }
  });
}

function refusal(request: FastifyRequest, principal: Principal): ErrorCode | undefined {
  const { permission, isOpenBeforePasswordChange } = request.routeOptions.config;
  if (!safeMethods.has(request.method) && request.headers['x-csrf-token'] !== principal.csrfToken)
    return 'auth.csrf';
  if (principal.mustChangePassword && !isOpenBeforePasswordChange) return 'auth.must-change-password';
  return permission && can(principal.role, permission) ? undefined : 'auth.forbidden';
}
