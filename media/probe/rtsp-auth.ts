import { authorizationFor as digestFor, offersBasic } from '../onvif/digest-auth.ts';

export interface AuthRequest {
  method: string;
  /** As it stands in the request line. */
  uri: string;
  username: string;
  password: string;
  /** How often this nonce was used, from 1. */
  nc: number;
}

/**
 * The `Authorization` value that answers one or more `WWW-Authenticate` values; Digest SHA-256 before MD5 before Basic.
 * Undefined where none of them is understood. Source: RFC 7616 (Digest), RFC 7617 (Basic), RFC 2326 D.
 */
export function authorizationFor(challenges: readonly string[], request: AuthRequest): string | undefined {
  const digest = digestFor(challenges, request);
  if (digest !== undefined || !offersBasic(challenges)) return digest;
  return `Basic ${Buffer.from(`${request.username}:${request.password}`).toString('base64')}`;
}
