import type { McpStdio } from '../../config/mcp/mcp-servers.ts';
import { RpcError, UPSTREAM_ERROR } from '../protocol/json-rpc.ts';
import { digestOf, filled, placeOf, type UserCredentials } from '../upstream/credentials.ts';
import { HttpFault } from '../upstream/http-call.ts';
import { LegacyPeer } from '../upstream/legacy-peer.ts';
import { ModernPeer } from '../upstream/modern-peer.ts';
import type { Peer } from '../upstream/peer.ts';
import { StdioLink } from '../upstream/stdio-link.ts';
import { LeafServer } from './leaf-server.ts';
import type { CallContext } from './served.ts';
import type { Opened, ServerHost } from './server-host.ts';

/** How many processes there may be, over all servers. */
export interface ChildPlaces {
  /** False: there are as many as may be. */
  enter(): boolean;
  leave(): void;
}

/** A process that ends soon after its start is not started again at once. */
const SHORT_LIFE_MS = 60_000;
const FIRST_BACKOFF_MS = 500;
const MAX_BACKOFF_MS = 60_000;
/** Old servers answer an unknown method at once, or never. */
const PROBE_MS = 3_000;

/**
 * A server that is a process of this machine. All callers share it, so it is told of no ability of theirs: a question
 * that it asks could not be given to the one it is about. With `per_user` each user has a process.
 */
export class StdioServer extends LeafServer {
  readonly kind = 'stdio';
  readonly #manifest: McpStdio;
  readonly #places: ChildPlaces;
  readonly #users: UserCredentials;
  readonly #links = new Map<Peer, StdioLink>();
  readonly #opening = new Map<string, Promise<Peer>>();
  readonly #failures = new Map<string, { count: number; untilMs: number }>();
  #era: 'modern' | 'legacy' | undefined;

  constructor(manifest: McpStdio, host: ServerHost, places: ChildPlaces, users: UserCredentials) {
    super(manifest, manifest.tools, host);
    this.#manifest = manifest;
    this.#places = places;
    this.#users = users;
  }

  protected get era(): string | undefined {
    return this.#era;
  }

  /** The ids of processes that run, which tests look at. */
  get pids(): number[] {
    return [...this.#links.values()].flatMap(({ pid }) => pid ?? []);
  }

  protected open(context: CallContext): Opened | Promise<Opened> {
    const key = this.#manifest.perUser ? userKey(this.name, context) : 'all';
    const known = this.peers.get(key);
    if (known && !known.closed) return { peer: known, key };
    let opening = this.#opening.get(key);
    if (!opening) {
      opening = this.#begin(key, context).finally(() => this.#opening.delete(key));
      this.#opening.set(key, opening);
    }
    return opening.then((peer) => ({ peer, key }));
  }

  async #begin(key: string, context: CallContext): Promise<Peer> {
    const failed = this.#failures.get(key);
    const waitMs = failed ? failed.untilMs - performance.now() : 0;
    if (waitMs > 0) throw new HttpFault(`its process ended; it is started again in ${Math.ceil(waitMs / 1000)} s`);
    const { perUser, environment: written } = this.#manifest;
    const values = perUser ? await this.#users.valuesOf(placeOf(this.name, context)) : {};
    const environment = filled(written, this.name, values);
    if (!this.#places.enter()) {
      const setting = `mcp.max_children: ${this.host.settings().maxChildren}`;
      throw new RpcError(UPSTREAM_ERROR, `There is no room for another process (${setting}).`);
    }
    const startedAt = performance.now();
    const { command, args, folder } = this.#manifest;
    const link = new StdioLink({
      command,
      args,
      folder,
      environment,
      maxMessageBytes: this.host.settings().maxMessageBytes,
      onErrorLine: (line) =>
        this.host.log.debug({ server: this.name, line }, 'an MCP server wrote to its standard error'),
      onExit: () => {
        this.#places.leave();
      },
    });
    const onLost = (fault: HttpFault): void => {
      for (const [peer, its] of this.#links) if (its === link) this.#links.delete(peer);
      this.peers.delete(key);
      this.#failed(key, startedAt);
      this.host.log.warn({ server: this.name, reason: fault.message }, 'the process of an MCP server ended');
    };
    try {
      const peer = await this.#negotiate(link, onLost);
      this.#failures.delete(key);
      this.#links.set(peer, link);
      this.keep(key, peer, context);
      return peer;
    } catch (error) {
      link.kill();
      this.#failed(key, startedAt);
      throw error;
    }
  }

  async #negotiate(link: StdioLink, onLost: (fault: HttpFault) => void): Promise<Peer> {
    const client = { capabilities: {}, clientInfo: { name: 'sluice', version: '1' }, logLevel: undefined };
    const common = { server: this.name, link, client, onLost };
    const { connectMs, callMs } = this.host.settings();
    if (this.#era !== 'legacy') {
      const probeMs = Math.min(PROBE_MS, connectMs);
      const modern = new ModernPeer({
        ...common,
        bounds: () => ({ callMs: this.#era ? callMs : probeMs }),
        tellsCancel: true,
      });
      try {
        await modern.ready();
        this.#era = 'modern';
        return modern;
      } catch (error) {
        // Any error at all is one of an old server; the end of the process is not.
        if (!(error instanceof RpcError)) throw error;
      }
    }
    let ready = false;
    const legacy = new LegacyPeer({
      ...common,
      bounds: () => ({ callMs: ready ? this.host.settings().callMs : connectMs }),
      firstId: 1001,
      onVersion: () => undefined,
    });
    await legacy.ready();
    ready = true;
    this.#era = 'legacy';
    return legacy;
  }

  #failed(key: string, startedAt: number): void {
    const now = performance.now();
    const before = now - startedAt < SHORT_LIFE_MS ? (this.#failures.get(key)?.count ?? 0) : 0;
    const waitMs = Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** before);
    this.#failures.set(key, { count: before + 1, untilMs: now + waitMs });
  }
}

/** One process for each account of each user. */
function userKey(server: string, context: CallContext): string {
  const { subject, account } = placeOf(server, context);
  return `${digestOf([subject])}|${account}`;
}
