import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { createRemoteJWKSet, jwtVerify } from 'jose';

/** The library has no types of its own, and is only started here. */
const PROVIDER: string = 'oidc-provider';

export interface TestIssuer extends AsyncDisposable {
  readonly url: string;
  /** Requests of its token endpoint: the forms that were sent. */
  readonly tokenForms: URLSearchParams[];
  /** Clients that registered themselves. */
  readonly registered: string[];
  /** Refuses refresh tokens from now on, as after the user took consent back. */
  revokeAll(): void;
}

interface IssuerOptions {
  /** Life of access tokens, in seconds. */
  readonly tokenSeconds?: number;
}

/**
 * A real authorization server: OAuth 2.1 with PKCE, registration, resource indicators, refresh tokens that rotate, and `iss`
 * in its answers. Who signs in is what the browser's cookie `user` says.
 */
export async function oauthIssuer({ tokenSeconds = 3600 }: IssuerOptions = {}): Promise<TestIssuer> {
  const tokenForms: URLSearchParams[] = [];
  const registered: string[] = [];
  let refusesRefresh = false;
  const server = createServer();
  const url = await listen(server);
  const { default: Provider } = await import(PROVIDER);
  const provider = new Provider(url, {
    clients: [],
    jwks: undefined,
    cookies: { keys: ['test'] },
    pkce: { required: () => true },
    findAccount: (_context: unknown, id: string) => ({ accountId: id, claims: () => ({ sub: id, email: id }) }),
    scopes: ['openid', 'offline_access', 'tools', 'more'],
    issueRefreshToken: () => true,
    rotateRefreshToken: true,
    ttl: {
      AccessToken: tokenSeconds,
      RefreshToken: 86_400,
      Grant: 86_400,
      Session: 86_400,
      Interaction: 600,
      IdToken: 600,
    },
    interactions: { url: (_context: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
    features: {
      devInteractions: { enabled: false },
      registration: { enabled: true },
      revocation: { enabled: true },
      introspection: { enabled: true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (_context: unknown, resource: string) => ({
          scope: 'tools more',
          audience: resource,
          accessTokenFormat: 'jwt',
          accessTokenTTL: tokenSeconds,
        }),
      },
    },
  });
  const callback = provider.callback();
  server.on('request', async (request, response) => {
    const { pathname } = new URL(request.url ?? '/', url);
    if (pathname.startsWith('/interaction/')) {
      await interact(provider, request, response);
      return;
    }
    if (request.method === 'POST') {
      const body = await bodyOf(request);
      if (pathname === '/token') {
        const form = new URLSearchParams(body);
        tokenForms.push(form);
        if (refusesRefresh && form.get('grant_type') === 'refresh_token') {
          response.writeHead(400, { 'content-type': 'application/json' }).end('{"error":"invalid_grant"}');
          return;
        }
      }
      if (pathname === '/reg') registered.push(body);
      // What was read is where the library looks for it.
      Reflect.set(
        request,
        'body',
        pathname === '/reg' ? JSON.parse(body) : Object.fromEntries(new URLSearchParams(body)),
      );
    }
    callback(request, response);
  });
  return {
    url,
    tokenForms,
    registered,
    revokeAll: () => {
      refusesRefresh = true;
    },
    [Symbol.asyncDispose]: () => stop(server),
  };
}

/** Signs in and consents at once. */
async function interact(
  // biome-ignore lint/suspicious/noExplicitAny: the library has no types.
  provider: any,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const details = await provider.interactionDetails(request, response);
  const user = /(?:^|; )user=([^;]+)/.exec(request.headers.cookie ?? '')?.[1] ?? 'nobody';
  if (details.prompt.name === 'login') {
    await provider.interactionFinished(request, response, { login: { accountId: user } });
    return;
  }
  const grant = new provider.Grant({ accountId: details.session.accountId, clientId: details.params.client_id });
  grant.addOIDCScope('openid offline_access tools more');
  const { missingResourceScopes = {} } = details.prompt.details;
  for (const resource of [details.params.resource, ...Object.keys(missingResourceScopes)]) {
    // A sign-in of a person asks for none.
    if (resource !== undefined) grant.addResourceScope(resource, 'tools more');
  }
  const grantId = await grant.save();
  await provider.interactionFinished(request, response, { consent: { grantId } }, { mergeWithLastSubmission: true });
}

export interface ProtectedServer extends AsyncDisposable {
  readonly url: string;
  /** Subjects of the tokens that came, in order. */
  readonly subjects: string[];
  /** Values of `authorization` that came. */
  readonly authorizations: Set<string>;
  /** Answers each token that it has seen so far with 401. */
  refuseKnown(): void;
}

interface ProtectedOptions {
  /** What its metadata say instead of the truth. */
  readonly metadata?: object;
  /** Path of its metadata, which its challenge alone tells. */
  readonly metadataPath?: string;
  /** What its challenge says that a token needs. */
  readonly scope?: string;
  /** Without it no tool may be called. */
  readonly callScope?: string;
}

/** An MCP server behind OAuth: takes tokens of that issuer for itself alone. Each user has a tool of her own. */
export async function protectedServer(
  issuer: string,
  {
    metadata = {},
    metadataPath = '/.well-known/oauth-protected-resource/mcp',
    scope,
    callScope,
  }: ProtectedOptions = {},
): Promise<ProtectedServer> {
  const subjects: string[] = [];
  const authorizations = new Set<string>();
  const refused = new Set<string>();
  const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`));
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? '/', origin);
    const body = await bodyOf(request);
    if (pathname === metadataPath) {
      const document = {
        resource: url,
        authorization_servers: [issuer],
        scopes_supported: ['openid', 'offline_access', 'tools'],
        ...metadata,
      };
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(document));
      return;
    }
    if (pathname !== '/mcp') {
      response.writeHead(404).end();
      return;
    }
    const { authorization = '' } = request.headers;
    authorizations.add(authorization);
    const verified = await jwtVerify(authorization.slice('Bearer '.length), keys, { issuer, audience: url }).catch(
      () => undefined,
    );
    if (!verified || refused.has(authorization)) {
      const needed = scope === undefined ? '' : `scope="${scope}", `;
      const challenge = `Bearer error="invalid_token", ${needed}resource_metadata="${origin}${metadataPath}"`;
      response.writeHead(401, { 'www-authenticate': challenge }).end();
      return;
    }
    const granted = String(verified.payload['scope'] ?? '').split(' ');
    if (callScope !== undefined && body.includes('tools/call') && !granted.includes(callScope)) {
      const challenge = `Bearer error="insufficient_scope", scope="${callScope}"`;
      response.writeHead(403, { 'www-authenticate': challenge }).end();
      return;
    }
    const subject = verified.payload.sub ?? '';
    subjects.push(subject);
    const tools = new McpServer({ name: 'protected', version: '1' }, { capabilities: {} });
    const text = (said: string) => ({ content: [{ type: 'text' as const, text: said }] });
    tools.registerTool('whoami', { description: 'Says who asks.' }, () => text(subject));
    tools.registerTool(`only_${subject.split('@')[0]}`, { description: 'Of one user.' }, () => text('mine'));
    const transport = new StreamableHTTPServerTransport({
      enableJsonResponse: true,
      sessionIdGenerator: undefined as never,
    });
    await tools.connect(transport as Parameters<McpServer['connect']>[0]);
    await transport.handleRequest(request, response, body === '' ? undefined : JSON.parse(body));
  });
  const origin = await listen(server);
  const url = `${origin}/mcp`;
  return {
    url,
    subjects,
    authorizations,
    refuseKnown: () => {
      for (const each of authorizations) refused.add(each);
    },
    [Symbol.asyncDispose]: () => stop(server),
  };
}

/** Follows redirects by hand and keeps cookies by origin, as a browser does. */
export class Browser {
  readonly #cookies = new Map<string, Map<string, string>>();
  /** Addresses that it was at, in order. */
  readonly visited: string[] = [];

  setCookie(url: string, name: string, value: string): void {
    this.#jar(url).set(name, value);
  }

  cookie(url: string, name: string): string | undefined {
    return this.#jar(url).get(name);
  }

  /** One request; redirects are not followed. */
  async ask(url: string, form?: Record<string, string>, headers: Record<string, string> = {}): Promise<Response> {
    this.visited.push(url);
    const cookie = [...this.#jar(url)].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await fetch(url, {
      redirect: 'manual',
      headers: { ...(cookie !== '' && { cookie }), ...headers },
      ...(form && { method: 'POST', body: new URLSearchParams(form) }),
    });
    for (const line of answer.headers.getSetCookie()) {
      const [pair = ''] = line.split(';', 1);
      const at = pair.indexOf('=');
      this.#jar(url).set(pair.slice(0, at), pair.slice(at + 1));
    }
    return answer;
  }

  /** Goes on until there is a page, or an address that `stopAt` holds for. */
  async go(
    url: string,
    form?: Record<string, string>,
    stopAt: (address: string) => boolean = () => false,
  ): Promise<{ url: string; status: number; text: string }> {
    let [address, answer] = [url, await this.ask(url, form)];
    for (let hop = 0; hop < 20 && answer.status >= 300 && answer.status < 400; hop += 1) {
      await answer.body?.cancel();
      address = new URL(answer.headers.get('location') ?? '', address).href;
      if (stopAt(address)) return { url: address, status: answer.status, text: '' };
      answer = await this.ask(address);
    }
    return { url: address, status: answer.status, text: await answer.text() };
  }

  #jar(url: string): Map<string, string> {
    const { origin } = new URL(url);
    const known = this.#cookies.get(origin) ?? new Map<string, string>();
    this.#cookies.set(origin, known);
    return known;
  }
}

/** The hidden field of a form of the gateway. */
export function formIn(text: string): string {
  return /name="form" value="([^"]+)"/.exec(text)?.[1] ?? '';
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  return body;
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function stop(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
