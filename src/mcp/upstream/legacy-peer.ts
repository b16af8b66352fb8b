import { type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import { LEGACY_VERSION, LEGACY_VERSIONS, metaOf, passingMeta } from '../protocol/eras.ts';
import { RpcError, UPSTREAM_ERROR } from '../protocol/json-rpc.ts';
import {
  type Call,
  type CallHooks,
  type Listening,
  Peer,
  type PeerOptions,
  type ServerInfo,
  type Wanted,
} from './peer.ts';

const NOBODY: CallHooks = {
  notify: () => undefined,
  ask: (method) => Promise.reject(new RpcError(UPSTREAM_ERROR, `Nobody can answer \`${method}\` now.`)),
};

/** What a server may ask of a client that can. */
const ASKED = ['elicitation', 'sampling', 'roots'];

export interface LegacyPeerOptions extends PeerOptions {
  /** The version is agreed upon: on HTTP it stands in each request from now on. */
  onVersion(version: string): void;
}

/** A session with a server that begins with `initialize`. */
export class LegacyPeer extends Peer {
  readonly era = 'legacy';
  readonly #options: LegacyPeerOptions;
  #ready: Promise<ServerInfo> | undefined;
  #capabilities: JsonObject = {};
  #logLevel: string | undefined;
  /** How many want to hear of each resource. */
  readonly #subscribed = new Map<string, number>();

  constructor(options: LegacyPeerOptions) {
    super(options);
    this.#options = options;
  }

  ready(): Promise<ServerInfo> {
    this.#ready ??= this.#initialize();
    return this.#ready;
  }

  call(method: string, params: JsonObject, hooks: CallHooks): Call {
    const { logLevel } = this.options.client;
    if (logLevel !== undefined && logLevel !== this.#logLevel && this.#capabilities['logging'] !== undefined) {
      this.#logLevel = logLevel;
      this.#begin('logging/setLevel', { level: logLevel }, NOBODY);
    }
    const meta = passingMeta(params);
    const { _meta, ...rest } = params;
    const sent = Object.keys(meta).length > 0 ? { ...rest, _meta: meta } : rest;
    return this.#begin(method, sent, hooks, metaOf(params)['progressToken']);
  }

  listen(wanted: Wanted, notify: CallHooks['notify']): Listening {
    const listener = { wanted, notify };
    this.listeners.add(listener);
    this.options.link.hear();
    for (const uri of wanted.uris) this.#subscribe(uri);
    return {
      close: () => {
        if (!this.listeners.delete(listener) || this.closed) return;
        for (const uri of wanted.uris) this.#unsubscribe(uri);
      },
    };
  }

  /** The client's own notifications, as `notifications/roots/list_changed`. */
  notify(method: string, params: JsonObject): void {
    this.notifyServer(method, params);
  }

  async #initialize(): Promise<ServerInfo> {
    const { capabilities, clientInfo } = this.options.client;
    const params = { protocolVersion: LEGACY_VERSION, capabilities, clientInfo };
    const result = await this.#begin('initialize', params, NOBODY).result;
    const version = stringOf(result['protocolVersion']) ?? '';
    if (!LEGACY_VERSIONS.includes(version)) {
      const message = `The server \`${this.options.server}\` speaks a version of MCP that is not known: ${version.slice(0, 40)}.`;
      throw new RpcError(UPSTREAM_ERROR, message);
    }
    this.#options.onVersion(version);
    this.notifyServer('notifications/initialized', {});
    // Many servers ask on the stream of their own, whatever they are at.
    if (ASKED.some((capability) => capabilities[capability] !== undefined)) this.options.link.hear();
    this.#capabilities = objectOf(result['capabilities']) ?? {};
    return {
      capabilities: this.#capabilities,
      serverInfo: objectOf(result['serverInfo']) ?? {},
      instructions: stringOf(result['instructions']),
    };
  }

  #begin(method: string, params: JsonObject, hooks: CallHooks, progressToken?: unknown): Call {
    return this.begin(
      method,
      params,
      hooks,
      () => [],
      (id) => this.tooLate(id),
      progressToken,
    );
  }

  protected override tooLate(id: number): void {
    this.notifyServer('notifications/cancelled', { requestId: id, reason: 'nobody waits for it any more' });
  }

  #subscribe(uri: string): void {
    const before = this.#subscribed.get(uri) ?? 0;
    this.#subscribed.set(uri, before + 1);
    if (before === 0) this.#begin('resources/subscribe', { uri }, NOBODY);
  }

  #unsubscribe(uri: string): void {
    const left = (this.#subscribed.get(uri) ?? 1) - 1;
    if (left > 0) this.#subscribed.set(uri, left);
    else {
      this.#subscribed.delete(uri);
      this.#begin('resources/unsubscribe', { uri }, NOBODY);
    }
  }
}
