import type { JsonObject } from '../../codec/json-value.ts';
import { encodedServer } from './places.ts';

/** What the gateway says of itself in OAuth: of its relay threads, which know no more of it, and of the thread of MCP. */

/** `__Host-`: no other host of the domain can set it. */
export function browserCookie(base: string): string {
  return base.startsWith('https://') ? '__Host-sluice-mcp' : 'sluice-mcp';
}

/** One for each journey to an identity provider that a browser may be on at once. */
export function journeyCookies(base: string): readonly string[] {
  return JOURNEYS.map((number) => `${base.startsWith('https://') ? '__Secure-' : ''}sluice-mcp-journey-${number}`);
}

const JOURNEYS = [1, 2, 3];

/** One for each server: an answer of one issuer is never taken for one of another. */
export function redirectUriOf(base: string, server: string): string {
  return `${base}/mcp/oauth/callback/${encodedServer(server)}`;
}

/** RFC 7591 §2. */
export function clientMetadata(redirectUri: string): JsonObject {
  return {
    client_name: 'Sluice',
    redirect_uris: [redirectUri],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
    application_type: redirectUri.startsWith('https://') ? 'web' : 'native',
  };
}

/** Where that stands for issuers that read it: `/mcp/oauth/client/…` of `/mcp/oauth/callback/…`. */
export function clientDocumentUrl(redirectUri: string): string {
  return redirectUri.replace('/mcp/oauth/callback/', '/mcp/oauth/client/');
}
