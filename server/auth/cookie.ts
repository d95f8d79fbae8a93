import type { FastifyReply, FastifyRequest } from 'fastify';

const maxAgeSeconds = 12 * 3600;

/** Reads and writes the session cookie. */
export interface SessionCookie {
  tokenOf(request: FastifyRequest): string | undefined;
  set(reply: FastifyReply, token: string): void;
  clear(reply: FastifyReply): void;
}

/**
 * The cookie is `__Host-weian`: browsers then insist on Secure, Path=/ and no Domain, so that no other service on the same machine can plant one
 * (Source: RFC 6265bis, 4.1.3.2). Without TLS that name is refused, and it is plain `weian`.
 */
export function createSessionCookie({ isTlsOn }: { isTlsOn: boolean }): SessionCookie {
  const name = isTlsOn ? '__Host-weian' : 'weian';
  const flags = { path: '/', httpOnly: true, sameSite: 'strict', secure: isTlsOn } as const;
  return {
    tokenOf: (request) => request.cookies[name],
    set: (reply, token) => void reply.setCookie(name, token, { ...flags, maxAge: maxAgeSeconds }),
    clear: (reply) => void reply.clearCookie(name, flags),
  };
}
