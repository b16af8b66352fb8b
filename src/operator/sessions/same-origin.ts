import type { IncomingMessage } from 'node:http';

/** Where a request came from, as its browser tells it. `unknown`: it says nothing, so it is none of today's. */
export function originOf(request: IncomingMessage, publicUrl: string | undefined): 'own' | 'foreign' | 'unknown' {
  const { origin, host, 'sec-fetch-site': site } = request.headers;
  if (typeof site === 'string' && site !== 'same-origin' && site !== 'none') return 'foreign';
  if (origin !== undefined) return isOwn(origin, host, publicUrl) ? 'own' : 'foreign';
  // `none`: typed by somebody, and not asked by a page.
  return site === undefined ? 'unknown' : 'own';
}

/** Ports are origins of their own, though cookies do not tell them apart. A proxy may speak TLS for us. */
function isOwn(origin: string, host: string | undefined, publicUrl: string | undefined): boolean {
  if (origin === publicUrl) return true;
  return URL.canParse(origin) && host !== undefined && new URL(origin).host === host.toLowerCase();
}

export function isEncrypted(request: IncomingMessage): boolean {
  return 'encrypted' in request.socket && request.socket.encrypted === true;
}
