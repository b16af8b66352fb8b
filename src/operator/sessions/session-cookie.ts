import type { IncomingMessage } from 'node:http';
import { isEncrypted } from './same-origin.ts';

/**
 * Cookies know hosts and no ports: each gateway of a machine has a name of its own, or the sign-in at one would end that at
 * another. Over TLS the prefix keeps what a page of another name of this host could write out (RFC 6265bis §4.1.3.2).
 */
function cookieName(request: IncomingMessage, isSecure: boolean): string {
  return `${isSecure ? '__Host-' : ''}sluice_console_${request.socket.localPort ?? 0}`;
}

/** Undefined: the browser has none. */
export function sessionIdOf(request: IncomingMessage, publicUrl: string | undefined): string | undefined {
  return cookieOf(request, cookieName(request, isSecureFor(request, publicUrl)));
}

export function cookieOf({ headers: { cookie } }: IncomingMessage, name: string): string | undefined {
  for (const pair of (cookie ?? '').split(';')) {
    const equals = pair.indexOf('=');
    if (pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
  }
  return undefined;
}

/** `maxAgeMs` 0 takes it back. */
export function sessionCookie(
  request: IncomingMessage,
  publicUrl: string | undefined,
  id: string,
  maxAgeMs: number,
): string {
  const isSecure = isSecureFor(request, publicUrl);
  const seconds = Math.max(0, Math.floor(maxAgeMs / 1000));
  const attributes = `Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Strict${isSecure ? '; Secure' : ''}`;
  return `${cookieName(request, isSecure)}=${id}; ${attributes}`;
}

/** By TLS of ours, or of a proxy at the address that browsers know. */
export function isSecureFor(request: IncomingMessage, publicUrl: string | undefined): boolean {
  if (isEncrypted(request)) return true;
  return publicUrl?.startsWith('https:') === true && new URL(publicUrl).host === request.headers.host?.toLowerCase();
}
