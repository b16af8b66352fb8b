import { parseObject, stringOf } from '../codec/json-value.ts';
import type { ServerSettings } from '../config/server/server-settings.ts';
import { GatewayError } from '../core/errors.ts';
import type { Exchange, HeadersOfInterest, OrError, Principal } from '../core/exchange.ts';
import { addressBytes } from '../edge/client-address.ts';
import type { Route } from '../edge/routes.ts';
import { mcpAddress } from '../mcp/clients/addresses.ts';
import {
  browserCookie,
  clientDocumentUrl,
  clientMetadata,
  journeyCookies,
  redirectUriOf,
} from '../mcp/oauth/own-addresses.ts';
import { scopeOf } from '../mcp/protocol/scopes.ts';
import type { Caller } from '../policy/caller.ts';
import type { McpPageAnswer, McpPageRequest, McpSignedIn } from '../threads/mcp-messages.ts';
import type { RefusalRecords } from './refusal-records.ts';

export interface OAuthRoutesOptions {
  settings(): ServerSettings;
  /** Names of identity providers with the issuers that their tokens name. */
  issuers(): readonly { readonly name: string; readonly issuer: string }[];
  readonly records: RefusalRecords;
  callerOf(principal: Principal): Caller;
  signIn(
    key: string,
    side: { getRemoteAddress(): ArrayBuffer },
  ): OrError<{
    readonly principal: Principal;
    readonly from: McpSignedIn['keyFrom'];
    readonly expiresAtMs: number;
  }>;
  /** Whether a token is good there. */
  isGood(token: string, address: string): boolean;
  /** Asks the thread of MCP. Undefined: it ended meanwhile. */
  page(request: Omit<McpPageRequest, 'id'>, onAnswer: (answer: McpPageAnswer | undefined) => void): void;
  errorBody(error: GatewayError, exchangeId?: string): Uint8Array;
}

/** The largest form or registration: nobody needs a key to send one. */
const MAX_BODY_BYTES = 65_536;
const MAX_QUERY = 16_384;
const RESOURCE = '/.well-known/oauth-protected-resource';

/** Where a client reaches the gateway; undefined: it is not known, so nothing may be promised for it. */
export function publicBase(settings: ServerSettings, { host }: Pick<HeadersOfInterest, 'host'>): string | undefined {
  const { mcp, listen } = settings;
  if (mcp.publicUrl !== undefined) return mcp.publicUrl;
  // A name that is not this machine may be anybody's: whoever sends it must not become the issuer.
  return host !== undefined && LOOPBACK.test(host) ? `http${listen.tls ? 's' : ''}://${host.toLowerCase()}` : undefined;
}

const LOOPBACK = /^(?:127\.\d{1,3}\.\d{1,3}\.\d{1,3}|localhost|\[::1\])(?::\d{1,5})?$/i;

/** As tokens name the address that was asked. */
export function addressAsked(
  settings: ServerSettings,
  head: Pick<HeadersOfInterest, 'host' | 'url'>,
): string | undefined {
  const base = publicBase(settings, head);
  return base === undefined ? undefined : base + (head.url ?? '').replace(/\/+$/, '');
}

/** Undefined: OAuth is not for this client. */
export function metadataUrl(
  settings: ServerSettings,
  head: Pick<HeadersOfInterest, 'host' | 'url'>,
): string | undefined {
  const base = publicBase(settings, head);
  const { url = '' } = head;
  if (base === undefined || settings.mcp.authorizationServers.length === 0 || /["\\]/.test(url)) return undefined;
  return `${base}${RESOURCE}${url.replace(/\/+$/, '')}`;
}

/** RFC 9728 §5.1; undefined: OAuth is not for this client. */
export function mcpChallenge(settings: ServerSettings, head: HeadersOfInterest): string | undefined {
  const metadata = metadataUrl(settings, head);
  if (metadata === undefined) return undefined;
  const address = mcpAddress((head.url ?? '').replace(/\/+$/, ''));
  const scope = address && namesScopes(settings) ? `, scope="${scopeOf(address.server, 'all')}"` : '';
  return `Bearer resource_metadata="${metadata}"${scope}`;
}

/** Scopes are the gateway's own: another issuer would refuse a client that asks for them. */
function namesScopes({ mcp: { authorizationServers } }: ServerSettings): boolean {
  return authorizationServers.every((name) => name === 'sluice');
}

/** The relay thread's side of OAuth for MCP: who is it, and what may be asked; the thread of MCP knows the rest. */
export function oauthRoutes(options: OAuthRoutesOptions): Route[] {
  const { errorBody } = options;
  const plain = (pattern: string, handle: (exchange: Exchange, base: string) => OrError<McpPageAnswer>): Route => ({
    pattern,
    method: 'GET',
    needsKey: false,
    body: 'none',
    errorBody,
    handle: (exchange) => {
      const base = baseOf(exchange, options);
      const answer = base instanceof GatewayError ? base : handle(exchange, base);
      if (answer instanceof GatewayError) refuse(exchange, answer, options);
      else write(exchange, answer, options);
    },
  });
  const asked = (pattern: string, method: Route['method'], page: McpPageRequest['page'], needsKey: boolean): Route => ({
    pattern,
    method,
    needsKey,
    body: method === 'POST' || method === 'PUT' ? 'whole' : 'none',
    maxBodyBytes: MAX_BODY_BYTES,
    // The cookie stands among its lines.
    passesHead: true,
    errorBody,
    handle: (exchange) => ask(exchange, page, needsKey, options),
  });
  return [
    plain(`${RESOURCE}/{*path}`, (exchange, base) => protectedResource(exchange, base, options)),
    plain('/.well-known/oauth-authorization-server', (_exchange, base) => authorizationServer(base, options)),
    plain('/mcp/oauth/client/{+server}', ({ params: { server = '' } }, base) => clientDocument(base, server)),
    asked('/mcp/oauth/register', 'POST', 'register', false),
    asked('/mcp/oauth/authorize', 'GET', 'authorize', false),
    asked('/mcp/oauth/authorize', 'POST', 'authorize', false),
    asked('/mcp/oauth/token', 'POST', 'token', false),
    asked('/mcp/oauth/revoke', 'POST', 'revoke', false),
    asked('/mcp/oauth/connect/{+rest}', 'GET', 'connect', false),
    asked('/mcp/oauth/connect/{+rest}', 'POST', 'connect', false),
    asked('/mcp/oauth/callback/{+rest}', 'GET', 'callback', false),
    asked('/mcp/oauth/sign-in/callback', 'GET', 'sign-in', false),
    asked('/mcp/oauth/connections', 'GET', 'connections', true),
    asked('/mcp/oauth/connections/{+rest}', 'PUT', 'connections', true),
    asked('/mcp/oauth/connections/{+rest}', 'DELETE', 'connections', true),
    asked('/mcp/oauth/sign-ins', 'GET', 'sign-ins', true),
    asked('/mcp/oauth/sign-ins/{rest}', 'DELETE', 'sign-ins', true),
  ];
}

/** RFC 9728 §3.2: the same for every address of the right form, so that it tells nobody which servers there are. */
function protectedResource(
  { params: { path = '' } }: Exchange,
  base: string,
  { settings, issuers }: OAuthRoutesOptions,
): OrError<McpPageAnswer> {
  const { authorizationServers } = settings().mcp;
  const address = (path === '' ? '/mcp' : path).replace(/\/+$/, '');
  const found = mcpAddress(address);
  if (!found || authorizationServers.length === 0) return new GatewayError('not_found');
  const known = issuers();
  return json({
    resource: base + address,
    authorization_servers: authorizationServers.flatMap((name) =>
      name === 'sluice' ? base : (known.find((each) => each.name === name)?.issuer ?? []),
    ),
    ...(namesScopes(settings()) && { scopes_supported: [scopeOf(found.server, 'all')] }),
    bearer_methods_supported: ['header'],
    resource_name: 'MCP servers behind Sluice',
  });
}

/** RFC 8414. */
function authorizationServer(base: string, { settings }: OAuthRoutesOptions): OrError<McpPageAnswer> {
  if (!settings().mcp.authorizationServers.includes('sluice')) return new GatewayError('not_found');
  return json({
    issuer: base,
    authorization_endpoint: `${base}/mcp/oauth/authorize`,
    token_endpoint: `${base}/mcp/oauth/token`,
    registration_endpoint: `${base}/mcp/oauth/register`,
    revocation_endpoint: `${base}/mcp/oauth/revoke`,
    scopes_supported: [scopeOf(undefined, 'all'), scopeOf(undefined, 'read')],
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    grant_types_supported: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_methods_supported: ['none'],
    revocation_endpoint_auth_methods_supported: ['none'],
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
    client_id_metadata_document_supported: true,
  });
}

/** What the gateway is at issuers that read such documents. */
function clientDocument(base: string, server: string): McpPageAnswer {
  const redirectUri = redirectUriOf(base, server);
  return json({ client_id: clientDocumentUrl(redirectUri), ...clientMetadata(redirectUri) });
}

function ask(exchange: Exchange, page: McpPageRequest['page'], needsKey: boolean, options: OAuthRoutesOptions): void {
  const base = baseOf(exchange, options);
  const fault = base instanceof GatewayError ? base : faultOf(exchange, page, base, options);
  if (base instanceof GatewayError || fault) {
    refuse(exchange, fault ?? new GatewayError('internal_error'), options);
    return;
  }
  const { method, params, headers } = exchange;
  const { body, signedIn } = readForm(exchange, page, needsKey, options);
  exchange.releaseBody();
  const request: Omit<McpPageRequest, 'id'> = {
    page,
    method: method === 'POST' || method === 'PUT' || method === 'DELETE' ? method : 'GET',
    base,
    query: headers.query ?? '',
    body,
    rest: params['rest'] ?? '',
    browser: cookieIn(headers.lines, browserCookie(base), COOKIE_VALUE),
    journeys: journeyCookies(base).map((name) => cookieIn(headers.lines, name, JOURNEY)),
    signedIn,
  };
  options.page(request, (answer) => {
    if (exchange.aborted !== undefined) {
      exchange.finish();
      return;
    }
    if (answer === undefined) refuse(exchange, new GatewayError('mcp_unavailable', { retryAfterMs: 1000 }), options);
    else if (answer.given && !options.isGood(answer.given.token, answer.given.address)) {
      // Its key was revoked, or its account ended, since somebody signed in with it.
      const error = {
        error: 'invalid_grant',
        error_description: 'The key that signed this client in is good no more.',
      };
      write(exchange, { ...json(error), status: 400 }, options);
    } else write(exchange, answer, options);
  });
}

function faultOf(
  { method, headers }: Exchange,
  page: McpPageRequest['page'],
  base: string,
  { settings }: OAuthRoutesOptions,
): GatewayError | undefined {
  if ((headers.query?.length ?? 0) > MAX_QUERY)
    return new GatewayError('invalid_header', { detail: 'The query is too long.' });
  const isIssuer = page === 'register' || page === 'authorize' || page === 'token' || page === 'revoke';
  if (isIssuer && !settings().mcp.authorizationServers.includes('sluice')) return new GatewayError('not_found');
  // A page of somebody else's must not send a form in the name of whoever looks at it.
  const isForm = method === 'POST' && (page === 'authorize' || page === 'connect');
  if (isForm && headers.origin !== undefined && headers.origin !== base) {
    return new GatewayError('origin_forbidden', { detail: `The origin is \`${headers.origin.slice(0, 100)}\`.` });
  }
  return undefined;
}

/** The key in a form is looked at here, and goes no further. */
function readForm(
  exchange: Exchange,
  page: McpPageRequest['page'],
  needsKey: boolean,
  { signIn, callerOf }: OAuthRoutesOptions,
): { readonly body: string; readonly signedIn: McpPageRequest['signedIn'] } {
  const body = exchange.body.toString();
  if (needsKey) {
    const { principal } = exchange;
    return {
      body,
      signedIn: signedInOf({ principal, from: 'configured', expiresAtMs: Number.POSITIVE_INFINITY }, callerOf),
    };
  }
  if (page !== 'authorize' && page !== 'connect') return { body, signedIn: undefined };
  const form = new URLSearchParams(body);
  const key = (form.get('key') ?? '').trim();
  form.delete('key');
  const rest = form.toString();
  if (key === '' || form.get('decision') !== 'allow') return { body: rest, signedIn: undefined };
  // Forgeries are counted against the address that they come from, as they are in a head.
  const address = stringOf(parseObject(exchange.clientJson() ?? '')?.['address']) ?? '0.0.0.0';
  const known = signIn(key, { getRemoteAddress: () => addressBytes(address) });
  return { body: rest, signedIn: known instanceof GatewayError ? known.message : signedInOf(known, callerOf) };
}

function signedInOf(
  { principal, from, expiresAtMs }: { principal: Principal; from: McpSignedIn['keyFrom']; expiresAtMs: number },
  callerOf: OAuthRoutesOptions['callerOf'],
): McpSignedIn {
  const { subject, keyId, teams, metadata } = principal;
  return {
    subject,
    subjects: [...callerOf(principal).subjects],
    keyId,
    keyFrom: from,
    teams,
    metadata,
    expiresAtMs: Number.isFinite(expiresAtMs) ? expiresAtMs : undefined,
  };
}

function baseOf(exchange: Exchange, { settings }: OAuthRoutesOptions): OrError<string> {
  const base = publicBase(settings(), exchange.headers);
  const detail = 'Sluice does not know where its clients reach it: set mcp.public_url.';
  return base ?? new GatewayError('not_found', { detail });
}

function refuse(exchange: Exchange, error: GatewayError, { records }: OAuthRoutesOptions): void {
  exchange.refuse(error);
  records.refused(exchange, error);
  exchange.finish();
}

function write(exchange: Exchange, { status, headers, body }: McpPageAnswer, { records }: OAuthRoutesOptions): void {
  const all = [...headers];
  exchange.pushOwnHeaders(all, 0);
  exchange.sink.start(status, all);
  exchange.sink.end(Buffer.from(body));
  records.answered(exchange, status);
  exchange.finish();
}

function json(value: object): McpPageAnswer {
  const headers = ['content-type', 'application/json', 'cache-control', 'no-store'];
  return { status: 200, headers, body: JSON.stringify(value) };
}

const COOKIE_VALUE = /^[\w-]{20,64}$/;
const JOURNEY = /^[\w-]{1,4096}$/;

function cookieIn(lines: readonly string[] | undefined, name: string, form: RegExp): string | undefined {
  for (let at = 0; at < (lines?.length ?? 0); at += 2) {
    if (lines?.[at] !== 'cookie') continue;
    for (const each of (lines[at + 1] ?? '').split(';')) {
      const [key = '', value = ''] = each.trim().split('=', 2);
      if (key === name && form.test(value)) return value;
    }
  }
  return undefined;
}

/** `{"<server>": "<account>"}`; a text says what is wrong with it. */
export function readAccounts(text: string | undefined): Readonly<Record<string, string>> | undefined | string {
  if (text === undefined) return undefined;
  const written = parseObject(text);
  if (!written) return 'It must be a JSON object of texts.';
  const accounts: Record<string, string> = Object.create(null);
  for (const [server, account] of Object.entries(written)) {
    const named = stringOf(account);
    if (named === undefined || !/^[A-Za-z0-9._-]{1,64}$/.test(named))
      return 'An account has letters, digits and . _ -.';
    accounts[server] = named;
  }
  return { ...accounts };
}
