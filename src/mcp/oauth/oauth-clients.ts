import { z } from 'zod';
import { parseObject } from '../../codec/json-value.ts';
import { GenerationCache } from '../../core/generation-cache.ts';
import { isLoopback } from '../../core/host-name.ts';
import type { HttpClient } from '../../core/http-client.ts';
import type { Seal } from '../clients/seal.ts';

/** A client of MCP that asks for tokens of the gateway. All are public: PKCE stands in the place of a secret. */
export interface McpClient {
  readonly id: string;
  /** As it says; nobody vouches for it. */
  readonly name: string;
  /** The host that vouches for its document; undefined: it registered itself. */
  readonly host: string | undefined;
  readonly redirectUris: readonly string[];
}

const MAX_REDIRECTS = 10;
const MAX_CLIENT_ID = 3_500;
const CLIENT = 'mcp oauth client';
const FETCH_MS = 5_000;
const MAX_DOCUMENT_BYTES = 16_384;
const KNOWN_MS = 300_000;
/** A document that is of no use is not asked for again sooner. */
const UNKNOWN_MS = 30_000;
const MAX_KNOWN = 1_000;
const MAX_FETCHING = 16;

const redirectUri = z.string().max(1024).refine(isRedirect);
const registration = z.object({
  redirect_uris: z.array(redirectUri).min(1).max(MAX_REDIRECTS),
  client_name: z.string().max(200).optional(),
});
const document = registration.extend({ client_id: z.string() });
const sealed = z.object({ n: z.string(), r: z.array(z.string()) });

/**
 * Clients by id. One that registers itself (RFC 7591) has what it said of itself in its id, signed: so nothing is kept of it,
 * and nobody can fill the store. One whose id is an address is what the document there says.
 */
export class OAuthClients {
  readonly #seal: Seal;
  readonly #http: HttpClient;
  readonly #documents = new GenerationCache<{ client: Promise<McpClient | undefined>; untilMs: number }>(MAX_KNOWN);
  #fetching = 0;

  constructor(seal: Seal, http: HttpClient) {
    this.#seal = seal;
    this.#http = http;
  }

  /** Undefined: what it says cannot be taken. */
  register(body: string): McpClient | undefined {
    const read = registration.safeParse(parseObject(body));
    if (!read.success) return undefined;
    const { redirect_uris: redirectUris, client_name: name = '' } = read.data;
    const id = this.#seal.close(CLIENT, { n: shownName(name), r: redirectUris });
    return id.length > MAX_CLIENT_ID ? undefined : { id, name: shownName(name), host: undefined, redirectUris };
  }

  /** Undefined: there is none. `base`: a gateway on this machine takes documents of this machine. */
  async of(id: string, base: string): Promise<McpClient | undefined> {
    if (id.length > MAX_CLIENT_ID) return undefined;
    if (/^https?:\/\//.test(id)) return this.#documented(id, isLoopback(new URL(base).hostname));
    const read = sealed.safeParse(this.#seal.open(CLIENT, id));
    return read.success ? { id, name: read.data.n, host: undefined, redirectUris: read.data.r } : undefined;
  }

  #documented(id: string, mayBeLocal: boolean): Promise<McpClient | undefined> {
    const now = performance.now();
    const known = this.#documents.get(id);
    if (known && now < known.untilMs) return known.client;
    if (!isDocumentUrl(id, mayBeLocal) || this.#fetching >= MAX_FETCHING) return Promise.resolve(undefined);
    this.#fetching += 1;
    const kept = { client: this.#fetch(id, mayBeLocal), untilMs: now + KNOWN_MS };
    this.#documents.set(id, kept);
    void kept.client.then((client) => {
      this.#fetching -= 1;
      if (client === undefined) kept.untilMs = performance.now() + UNKNOWN_MS;
    });
    return kept.client;
  }

  /** Never rejects. */
  async #fetch(id: string, mayBeLocal: boolean): Promise<McpClient | undefined> {
    const isLocal = isLoopback(new URL(id).hostname);
    const answer = await this.#http({
      url: id,
      headers: ['accept', 'application/json'],
      timeoutMs: FETCH_MS,
      maxBytes: MAX_DOCUMENT_BYTES,
      reach: mayBeLocal && isLocal ? 'not-metadata' : 'public',
    }).catch(() => undefined);
    const read = document.safeParse(answer?.status === 200 ? parseObject(answer.body.toString()) : undefined);
    if (!read.success || read.data.client_id !== id) return undefined;
    const { redirect_uris: redirectUris, client_name: name = '' } = read.data;
    return { id, name: shownName(name), host: new URL(id).host, redirectUris };
  }
}

/** The very one, but for the port on this machine, which clients choose when they begin (RFC 8252 §7.3). */
export function isRegistered({ redirectUris }: McpClient, asked: string): boolean {
  if (redirectUris.includes(asked)) return true;
  if (!isRedirect(asked)) return false;
  const url = new URL(asked);
  if (url.protocol !== 'http:' || !isLoopback(url.hostname)) return false;
  url.port = '';
  return redirectUris.some((each) => {
    const known = new URL(each);
    if (known.protocol !== 'http:' || !isLoopback(known.hostname)) return false;
    known.port = '';
    return known.href === url.href;
  });
}

/** Schemes of browsers' own, behind which a code would be read by a page, or run as one. */
const FORBIDDEN = new Set([
  'about:',
  'blob:',
  'chrome:',
  'data:',
  'file:',
  'filesystem:',
  'ftp:',
  'javascript:',
  'mailto:',
  'vbscript:',
  'view-source:',
  'ws:',
  'wss:',
]);

function isRedirect(value: string): boolean {
  // RFC 3986 §2: it goes into a head as it is written.
  if (!URL.canParse(value) || !/^[\x21-\x7e]+$/.test(value) || /[<>"'\\]/.test(value)) return false;
  // `https:evil` is relative to an address of the gateway, or a host of its own: browsers decide.
  if (/^https?:(?!\/\/)/i.test(value)) return false;
  const { protocol, hostname, username, password, hash } = new URL(value);
  if (username !== '' || password !== '' || hash !== '' || value.includes('#')) return false;
  if (protocol === 'http:') return isLoopback(hostname);
  return !FORBIDDEN.has(protocol);
}

function isDocumentUrl(id: string, mayBeLocal: boolean): boolean {
  if (!URL.canParse(id)) return false;
  const { protocol, hostname, pathname, username, password, hash } = new URL(id);
  if (username !== '' || password !== '' || hash !== '' || pathname === '/' || /\/\.{1,2}(\/|$)/.test(id)) return false;
  return protocol === 'https:' || (protocol === 'http:' && mayBeLocal && isLoopback(hostname));
}

/** Without what could make it look like something else. */
function shownName(name: string): string {
  const shown = name
    .replaceAll(/[\p{C}\p{Z}]+/gu, ' ')
    .trim()
    .slice(0, 100);
  return shown === '' ? 'A client without a name' : shown;
}
