import { objectOf, parseObject } from '../../codec/json-value.ts';
import type { McpRemote } from '../../config/mcp/mcp-servers.ts';
import { HEADER_MISMATCH, MODERN_VERSION, UNSUPPORTED_VERSION } from '../protocol/eras.ts';
import { RpcError, readMessage } from '../protocol/json-rpc.ts';
import type { Credentials, Granted } from '../upstream/credentials.ts';
import { type HttpContext, HttpFault, type HttpPlace, placeOf } from '../upstream/http-call.ts';
import { HttpLink } from '../upstream/http-link.ts';
import { LegacyPeer } from '../upstream/legacy-peer.ts';
import { ModernPeer } from '../upstream/modern-peer.ts';
import type { CallHooks, ClientFacts, Peer } from '../upstream/peer.ts';
import { SseLink } from '../upstream/sse-link.ts';
import { LeafServer, ownerOf } from './leaf-server.ts';
import type { CallContext } from './served.ts';
import type { Opened, ServerHost } from './server-host.ts';

type Speech = 'modern' | 'streamable-http' | 'sse';

const MODERN_FIRST: readonly Speech[] = ['modern', 'streamable-http', 'sse'];
const LEGACY_FIRST: readonly Speech[] = ['streamable-http', 'modern', 'sse'];

/** What authorises the requests of a peer; replaced when it is renewed. */
interface Sent {
  headers: readonly string[];
}

export interface RemoteParts {
  readonly http: HttpContext;
  readonly credentials: Credentials;
}

/** A server at an address. Which era it speaks is found out with the first call, and again where that no longer holds. */
export class RemoteServer extends LeafServer {
  readonly kind = 'remote';
  readonly #manifest: McpRemote;
  readonly #parts: RemoteParts;
  readonly #place: HttpPlace;
  readonly #opening = new Map<string, Promise<Peer>>();
  readonly #sent = new WeakMap<Peer, Sent>();
  /** By the era of the client. */
  readonly #speech: { legacy: Speech | undefined; modern: Speech | undefined };

  constructor(manifest: McpRemote, host: ServerHost, parts: RemoteParts) {
    super(manifest, manifest.tools, host);
    this.#manifest = manifest;
    this.#parts = parts;
    this.#place = placeOf(manifest.url, manifest.tls, manifest.name);
    const only = manifest.transport === 'sse' ? 'sse' : undefined;
    this.#speech = { legacy: only, modern: only };
  }

  protected get era(): string | undefined {
    const { legacy, modern } = this.#speech;
    return modern ?? legacy;
  }

  protected override lacking(context: CallContext, scopes: readonly string[]): RpcError | undefined {
    return this.#parts.credentials.lacking(this.#manifest, context, scopes);
  }

  protected override refused(context: CallContext): Promise<boolean> {
    return this.#parts.credentials.refused(this.#manifest, context);
  }

  protected override prepare(context: CallContext, hooks: CallHooks, cancelled: () => boolean): Promise<void> {
    return this.#parts.credentials.prepare(this.#manifest, context, hooks, cancelled);
  }

  protected override mayPrepare(): boolean {
    return this.#parts.credentials.mayAsk(this.#manifest);
  }

  protected open(context: CallContext): Opened | Promise<Opened> {
    const granted = this.#parts.credentials.headersFor(this.#manifest, context);
    return granted instanceof Promise
      ? granted.then((each) => this.#openWith(each, context))
      : this.#openWith(granted, context);
  }

  #openWith({ headers, identity }: Granted, context: CallContext): Opened | Promise<Opened> {
    const key = `${identity}|${ownerOf(context)}`;
    const known = this.peers.get(key);
    if (known && !known.closed) {
      // A token that was renewed is that of the same user: the session goes on with it.
      const sent = this.#sent.get(known);
      if (sent) sent.headers = headers;
      return { peer: known, key };
    }
    let opening = this.#opening.get(key);
    if (!opening) {
      opening = this.#begin(key, { headers }, context).finally(() => this.#opening.delete(key));
      this.#opening.set(key, opening);
    }
    return opening.then((peer) => ({ peer, key }));
  }

  async #begin(key: string, headers: Sent, context: CallContext): Promise<Peer> {
    const peer = await this.#negotiate(key, headers, context);
    this.#sent.set(peer, headers);
    this.keep(key, peer, context);
    return peer;
  }

  /**
   * The client's own era first: a server that speaks both gives it more in that one than a bridge could. Then the other
   * era, and then SSE, as the specification tells clients of all eras to do.
   */
  async #negotiate(key: string, headers: Sent, context: CallContext): Promise<Peer> {
    const own = context.session ? 'legacy' : 'modern';
    const known = this.#speech[own];
    const { transport } = this.#manifest;
    const all = own === 'legacy' ? LEGACY_FIRST : MODERN_FIRST;
    // One that was found out holds until the server says otherwise; those before it need not be tried again.
    const order = known === undefined ? all : all.slice(all.indexOf(known));
    let failure: unknown;
    for (const speech of order) {
      if (speech === 'sse' && transport === 'streamable-http') break;
      let peer = this.#begun(speech, key, headers, context.client);
      failure = await this.#failureOf(peer);
      if (speech === 'modern' && isRetried(failure)) {
        peer.close();
        peer = this.#begun(speech, key, headers, context.client);
        failure = await this.#failureOf(peer);
      }
      if (failure === undefined) {
        this.#speech[own] = speech;
        return peer;
      }
      peer.close();
      if (speech === 'modern' ? !isOld(failure) : !isElsewhere(failure, own)) throw failure;
    }
    // What was found out may hold no longer: the next call looks again.
    this.#speech[own] = transport === 'sse' ? 'sse' : undefined;
    throw failure;
  }

  #begun(speech: Speech, key: string, headers: Sent, client: ClientFacts): Peer {
    if (speech === 'modern') return this.#modern(key, headers, client);
    return speech === 'sse' ? this.#sse(key, headers, client) : this.#streamable(key, headers, client);
  }

  /** Undefined: it is ready. Bounded by `mcp.connect_ms`. */
  async #failureOf(peer: Peer): Promise<unknown> {
    const { connectMs } = this.host.settings();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<HttpFault>((resolve) => {
      const fault = new HttpFault(`it said nothing within mcp.connect_ms: ${connectMs}`);
      timer = setTimeout(() => resolve(fault), connectMs);
    });
    const failure = await Promise.race([
      peer.ready().then(
        () => undefined,
        (error: unknown) => error,
      ),
      late,
    ]);
    clearTimeout(timer);
    return failure;
  }

  #modern(key: string, headers: Sent, client: ClientFacts): Peer {
    const link = this.#httpLink(headers);
    return new RemoteModernPeer({ ...this.#peerOptions(key, client), link, tellsCancel: false });
  }

  #streamable(key: string, headers: Sent, client: ClientFacts): Peer {
    const link = this.#httpLink(headers);
    return new LegacyPeer({
      ...this.#peerOptions(key, client),
      link,
      onVersion: (version) => {
        link.version = version;
      },
    });
  }

  #sse(key: string, headers: Sent, client: ClientFacts): Peer {
    const link = new SseLink({ context: this.#parts.http, place: this.#place, headers: () => headers.headers });
    return new LegacyPeer({ ...this.#peerOptions(key, client), link, onVersion: () => undefined });
  }

  #httpLink(headers: Sent): HttpLink {
    return new HttpLink({ context: this.#parts.http, place: this.#place, headers: () => headers.headers });
  }

  #peerOptions(key: string, client: ClientFacts) {
    return {
      server: this.name,
      client,
      bounds: () => this.host.settings(),
      onLost: () => {
        this.peers.delete(key);
      },
    };
  }
}

class RemoteModernPeer extends ModernPeer {
  /** The modern era puts its errors into answers of 400 and 404. */
  protected override errorOf(fault: HttpFault): Error {
    return modernError(fault) ?? fault;
  }
}

function modernError({ status, body }: HttpFault): RpcError | undefined {
  if (status !== 400 && status !== 404) return undefined;
  const message = readMessage(parseObject(body));
  return typeof message !== 'string' && message.kind === 'response' ? message.error : undefined;
}

/** Whether an answer to `initialize` is one of a server that speaks otherwise. */
function isElsewhere(failure: unknown, own: 'legacy' | 'modern'): boolean {
  // One of the modern era alone says so in an error; a modern client has asked that way before.
  if (failure instanceof RpcError) return own === 'legacy';
  const status = failure instanceof HttpFault ? failure.status : undefined;
  return status === 400 || status === 404 || status === 405;
}

/** A refusal of the version that offers the very one: the server is asked once more. */
function isRetried(failure: unknown): boolean {
  if (!(failure instanceof RpcError) || failure.code !== UNSUPPORTED_VERSION) return false;
  const supported = objectOf(failure.data)?.['supported'];
  return Array.isArray(supported) && supported.includes(MODERN_VERSION);
}

/** Whether an answer to `server/discover` is one of a server that does not know it. */
function isOld(failure: unknown): boolean {
  if (failure instanceof RpcError) {
    if (failure.code === UNSUPPORTED_VERSION) return true;
    return failure.code > HEADER_MISMATCH || failure.code < HEADER_MISMATCH - 79;
  }
  if (!(failure instanceof HttpFault)) return false;
  const { status } = failure;
  // Silence is an answer of old servers, too; one that cannot be connected to is away.
  if (status === undefined) return failure.cause === undefined && failure.message.startsWith('it said nothing');
  return status >= 400 && status < 500 && status !== 401 && status !== 403 && status !== 429;
}
