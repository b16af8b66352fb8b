import { randomBytes } from 'node:crypto';
import { isLoopback } from '../../core/host-name.ts';
import type { Log } from '../../core/log.ts';
import type { McpPageAnswer, McpPageRequest, McpSignedIn } from '../../threads/mcp-messages.ts';
import { scopeOf } from '../protocol/scopes.ts';
import type { ServerRegistry } from '../servers/registry.ts';
import type { Asked, AuthorizationServer } from './authorization-server.ts';
import { asOAuthServer, type ConnectFlow, type Onward } from './connect-flow.ts';
import type { Connections } from './connections.ts';
import { browserCookie } from './own-addresses.ts';
import { connectionsOf, refusal, signInsOf } from './own-grants.ts';
import { errorPage, html, page, redirect, signInPage } from './pages.ts';
import type { CameBack, PersonSignIn, Wanted } from './person-sign-in.ts';
import { accountIn, DEFAULT_ACCOUNT, encodedServer } from './places.ts';
import { type McpRows, RowsAway } from './rows.ts';

export interface OAuthFrontOptions {
  readonly registry: ServerRegistry;
  readonly issuer: AuthorizationServer;
  readonly flow: ConnectFlow;
  readonly connections: Connections;
  readonly person: PersonSignIn;
  readonly rows: McpRows;
  readonly log: Log;
}

/** Asked for one after the other while a client signs in. */
const MAX_CHAIN = 5;
const STALE = 'This form is too old, or was opened in another browser. Begin again.';

/** All that browsers and clients ask besides MCP itself. */
export class OAuthFront {
  readonly #options: OAuthFrontOptions;

  constructor(options: OAuthFrontOptions) {
    this.#options = options;
  }

  /** Never rejects. */
  async handle(request: McpPageRequest): Promise<McpPageAnswer> {
    try {
      return await this.#answer(request);
    } catch (error) {
      if (error instanceof RowsAway) return refusal(503, 'database_away', error.message);
      this.#options.log.error({ error, page: request.page }, 'a page of MCP failed in the gateway');
      return refusal(500, 'internal_error', 'The gateway failed.');
    }
  }

  #answer(request: McpPageRequest): Promise<McpPageAnswer> | McpPageAnswer {
    const { issuer } = this.#options;
    switch (request.page) {
      case 'register':
        return issuer.register(request.body);
      case 'token':
        return issuer.token(new URLSearchParams(request.body));
      case 'revoke':
        return issuer.revoke(new URLSearchParams(request.body));
      case 'authorize':
        return request.method === 'POST' ? this.#agree(request) : this.#authorize(request, request.query, undefined);
      case 'connect':
        return request.method === 'POST'
          ? this.#connect(request)
          : this.#connectForm(request, request.query, undefined);
      case 'callback':
        return this.#callback(request);
      case 'sign-in':
        return this.#signedIn(request);
      case 'connections':
        return connectionsOf(this.#options, request);
      case 'sign-ins':
        return signInsOf(this.#options, request);
    }
  }

  async #authorize(request: McpPageRequest, query: string, fault: string | undefined): Promise<McpPageAnswer> {
    const { issuer, person } = this.#options;
    const asked = await issuer.asked(new URLSearchParams(query), request.base);
    if ('page' in asked) return errorPage(400, asked.page);
    if ('address' in asked) return askedWrongly(asked);
    const { browser, headers } = browserOf(request);
    const { client, redirectUri, server, scopes } = asked;
    const from = client.host === undefined ? '' : ` (${client.host})`;
    const what = server === undefined ? 'all MCP servers that you may use' : `the MCP server ${server}`;
    const about = html`<p><strong>${client.name}${from}</strong> wants to use <strong>${what}</strong> in your name${scopes.includes(scopeOf(server, 'all')) ? '' : `, for no more than ${scopes.join(' ')}`}.</p><p>Nobody vouches for that name. The answer goes to <code>${new URL(redirectUri).host || redirectUri}</code>: allow it only if you have just begun this yourself.</p>`;
    const form = issuer.form(query, browser);
    const forms = `${formsOf(request)} ${sourceOf(redirectUri)}`;
    const { offered: provider } = person;
    return signInPage({
      title: 'Sign in',
      about,
      action: '/mcp/oauth/authorize',
      form,
      fault,
      forms,
      headers,
      provider,
    });
  }

  async #agree(request: McpPageRequest): Promise<McpPageAnswer> {
    const { issuer } = this.#options;
    const { base, browser, signedIn } = request;
    const form = new URLSearchParams(request.body);
    const query = issuer.ofForm(form.get('form') ?? '', browser);
    if (query === undefined) return errorPage(400, STALE);
    const asked = await issuer.asked(new URLSearchParams(query), base);
    if ('page' in asked) return errorPage(400, asked.page);
    if ('address' in asked) return askedWrongly(asked);
    const decision = form.get('decision');
    if (decision === 'provider') {
      return this.#away({ page: 'authorize', query }, request, (fault) => this.#authorize(request, query, fault));
    }
    if (decision !== 'allow') return redirect(issuer.refusedBy(asked, base));
    return this.#agreeAs(request, query, asked, signedIn);
  }

  async #agreeAs(
    request: McpPageRequest,
    query: string,
    asked: Asked,
    signedIn: McpPageRequest['signedIn'],
  ): Promise<McpPageAnswer> {
    const { registry } = this.#options;
    if (signedIn === undefined || typeof signedIn === 'string') {
      return this.#authorize(request, query, signedIn ?? 'No key was given.');
    }
    const { server } = asked;
    if (server !== undefined && !registry.find(server, { subjects: new Set(signedIn.subjects) })) {
      return this.#authorize(request, query, `There is no MCP server ${server} that you may use.`);
    }
    return redirect(await this.#firstThere(asked, request, signedIn));
  }

  /** To the identity provider; `again` shows the page anew, and says why it cannot be. */
  async #away(
    wanted: Wanted,
    request: McpPageRequest,
    again: (fault: string) => Promise<McpPageAnswer> | McpPageAnswer,
  ): Promise<McpPageAnswer> {
    const { browser } = request;
    if (browser === undefined) return errorPage(400, STALE);
    const begun = await this.#options.person.begin(wanted, request, browser);
    return typeof begun === 'string' ? again(begun) : withCookie(redirect(begun.location), begun.cookie);
  }

  /** Back from the identity provider: what was wanted goes on as if a key had come. */
  async #signedIn(request: McpPageRequest): Promise<McpPageAnswer> {
    const back = await this.#options.person.finish(request);
    if (!back) {
      return errorPage(400, 'Nobody left this browser to sign in, or it was too long ago. Begin again.');
    }
    return withCookie(await this.#goesOn(request, back), back.cookie);
  }

  async #goesOn(request: McpPageRequest, { wanted, who }: CameBack): Promise<McpPageAnswer> {
    const { issuer } = this.#options;
    if (wanted.page === 'connect') {
      const { server, account } = wanted;
      return this.#connectAs({ ...request, rest: server, query: `account=${account}` }, server, account, who);
    }
    const asked = await issuer.asked(new URLSearchParams(wanted.query), request.base);
    if ('page' in asked) return errorPage(400, asked.page);
    if ('address' in asked) return askedWrongly(asked);
    return this.#agreeAs(request, wanted.query, asked, who);
  }

  /** To the client, or first to the issuers of servers behind the address, where the user has not agreed yet. */
  async #firstThere(asked: Asked, { base, browser }: McpPageRequest, who: McpSignedIn): Promise<string> {
    const { issuer, registry, connections, flow } = this.#options;
    const { server } = asked;
    const behind = server === undefined ? [] : registry.behind(server, { subjects: new Set(who.subjects) });
    const wanted = behind.filter((each) => asOAuthServer(each) !== undefined).slice(0, MAX_CHAIN);
    const missing: string[] = [];
    for (const { name } of wanted) {
      const there = await connections.list({ subject: who.subject, server: name });
      if (there.length === 0) missing.push(name);
    }
    if (missing.length === 0 || browser === undefined) return issuer.agreed(asked, base, who, 'at once');
    const address = await issuer.agreed(asked, base, who, 'on the way');
    return this.#next({ servers: missing, address }, who.subject, base, browser, flow);
  }

  /** A server whose issuer cannot be asked is passed over: its own error says so when it is used. */
  async #next(onward: Onward, subject: string, base: string, browser: string, flow: ConnectFlow): Promise<string> {
    const servers = [...onward.servers];
    for (let server = servers.shift(); server !== undefined; server = servers.shift()) {
      const place = { subject, server, account: DEFAULT_ACCOUNT };
      const begun = await flow.begin(place, base, browser, { ...onward, servers: [...servers] });
      if (typeof begun !== 'string') return begun.address;
      this.#options.log.warn({ server, reason: begun }, 'a user could not be asked to agree for an MCP server');
    }
    return onward.address ?? `${base}/`;
  }

  #connectForm(request: McpPageRequest, query: string, fault: string | undefined): McpPageAnswer {
    const server = request.rest;
    const account = accountIn(query);
    if (account === undefined) return errorPage(400, 'The account may have letters, digits and . _ -, 64 at most.');
    const { browser, headers } = browserOf(request);
    const which = account === DEFAULT_ACCOUNT ? '' : ` as ${account}`;
    const about = html`<p>The gateway will use the MCP server <strong>${server}</strong>${which} in your name. Its issuer asks you next; what it gives is kept sealed, is used for your requests alone, and can be taken back.</p>`;
    const form = this.#options.issuer.form(JSON.stringify([server, account]), browser);
    const action = `/mcp/oauth/connect/${encodedServer(server)}?account=${account}`;
    const title = `Connect ${server}`;
    const { offered: provider } = this.#options.person;
    return signInPage({ title, about, action, form, fault, forms: formsOf(request), headers, provider });
  }

  async #connect(request: McpPageRequest): Promise<McpPageAnswer> {
    const { issuer } = this.#options;
    const { signedIn, browser, rest: server, query } = request;
    const form = new URLSearchParams(request.body);
    const account = accountIn(query);
    const bound = issuer.ofForm(form.get('form') ?? '', browser);
    if (browser === undefined || account === undefined || bound !== JSON.stringify([server, account])) {
      return errorPage(400, STALE);
    }
    const decision = form.get('decision');
    if (decision === 'provider') {
      const again = (fault: string): McpPageAnswer => this.#connectForm(request, query, fault);
      return this.#away({ page: 'connect', server, account }, request, again);
    }
    if (decision !== 'allow') return page(200, 'Nothing was done', html`<p>You can close this page.</p>`);
    return this.#connectAs(request, server, account, signedIn);
  }

  async #connectAs(
    request: McpPageRequest,
    server: string,
    account: string,
    signedIn: McpPageRequest['signedIn'],
  ): Promise<McpPageAnswer> {
    const { registry, flow } = this.#options;
    const { base, browser, query } = request;
    if (browser === undefined) return errorPage(400, STALE);
    if (signedIn === undefined || typeof signedIn === 'string') {
      return this.#connectForm(request, query, signedIn ?? 'No key was given.');
    }
    const { subject, subjects } = signedIn;
    if (!registry.find(server, { subjects: new Set(subjects) })) {
      return this.#connectForm(request, query, `There is no MCP server ${server} that you may use.`);
    }
    const begun = await flow.begin({ subject, server, account }, base, browser, { servers: [] });
    return typeof begun === 'string'
      ? this.#connectForm(request, query, `You cannot be asked to agree: ${begun}.`)
      : redirect(begun.address);
  }

  async #callback(request: McpPageRequest): Promise<McpPageAnswer> {
    const { flow, log } = this.#options;
    const { rest: server, browser, base } = request;
    const returned = await flow.finish(server, new URLSearchParams(request.query), browser);
    if (!returned || browser === undefined) {
      return errorPage(400, 'Nobody was asked to agree in this browser, or it was too long ago. Begin again.');
    }
    const { place, onward, fault } = returned;
    if (fault !== undefined) log.warn({ server, reason: fault }, 'a user did not get a token for an MCP server');
    if (onward.address !== undefined || onward.servers.length > 0) {
      return redirect(await this.#next(onward, place.subject, base, browser, flow));
    }
    if (fault !== undefined) return errorPage(400, `The server ${server} is not connected: ${fault}.`);
    return page(
      200,
      'Connected',
      html`<p>The MCP server <strong>${server}</strong> can be used in your name now. You can close this page.</p>`,
    );
  }
}

/**
 * RFC 9700 §4.11.2: anybody may register a client, so a link to the gateway must not lead on to its address by itself; but to
 * a client on this machine, which waits.
 */
function askedWrongly({ address, why }: { readonly address: string; readonly why: string }): McpPageAnswer {
  const { protocol, hostname, host } = new URL(address);
  if (protocol === 'http:' && isLoopback(hostname)) return redirect(address);
  const content = html`<p role="alert">What the client asks for is wrong: ${why}.</p><p><a href="${address}" rel="noreferrer">Back to ${host || protocol}</a></p>`;
  return page(400, 'This does not work', content);
}

function withCookie(answer: McpPageAnswer, cookie: string): McpPageAnswer {
  return { ...answer, headers: [...answer.headers, 'set-cookie', cookie] };
}

/** What sets this browser apart, and what tells it so. */
function browserOf({ browser, base }: McpPageRequest): {
  readonly browser: string;
  readonly headers: readonly string[];
} {
  if (browser !== undefined) return { browser, headers: [] };
  const made = randomBytes(24).toString('base64url');
  const secure = base.startsWith('https://');
  const cookie = `${browserCookie(base)}=${made}; Path=/; HttpOnly; SameSite=Lax; Max-Age=3600${secure ? '; Secure' : ''}`;
  return { browser: made, headers: ['set-cookie', cookie] };
}

/** Where forms may lead: issuers and providers, which browsers are sent on to. */
function formsOf({ base }: McpPageRequest): string {
  return `https:${isLoopback(new URL(base).hostname) ? ' http://127.0.0.1:* http://localhost:*' : ''}`;
}

/** As a source of a content security policy. */
function sourceOf(address: string): string {
  const { protocol, origin } = new URL(address);
  return protocol === 'http:' || protocol === 'https:' ? origin : protocol;
}
