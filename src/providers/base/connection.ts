import { createHash } from 'node:crypto';
import type { Connection } from '../provider.ts';

export interface Endpoint {
  /** Checked by the manifest schema's `baseUrl()`: http(s), no user, query or fragment. */
  url: string;
  /** The headers that carry the credential, and whatever else sets this account apart. */
  headers: readonly string[];
  tls?: { reject_unauthorized: boolean; ca_cert?: string };
}

/** Splits an address into what a pool is keyed by and the path that stands before the wire's own. */
export function connectionTo(endpoint: Endpoint): { connection: Connection; basePath: string } {
  const url = new URL(endpoint.url);
  const { tls } = endpoint;
  return {
    connection: {
      origin: url.origin,
      credential: digest(endpoint.headers),
      tls: tls && { rejectUnauthorized: tls.reject_unauthorized, ca: tls.ca_cert },
    },
    basePath: url.pathname === '/' ? '' : url.pathname,
  };
}

/** Tells credentials apart in pool keys without holding one: 64 bits of SHA-256. */
function digest(headers: readonly string[]): string {
  return createHash('sha256').update(headers.join('\0')).digest('hex').slice(0, 16);
}
