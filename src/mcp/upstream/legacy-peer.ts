import { type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import { LEGACY_VERSION, LEGACY_VERSIONS, metaOf, NAMED, passingMeta } from '../protocol/eras.ts';
import { RpcError, UPSTREAM_ERROR } from '../protocol/json-rpc.ts';
import { runsTasks, withoutTaskSupport } from '../protocol/tasks.ts';
import { inTime, lateCall, throwIfCancelled } from './late-call.ts';
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
  /** Many servers ask on the stream of their own, whatever they are at: until it is open, their questions are lost. */
  readonly #mustHear: boolean;
  /** The server keeps the head of that stream back until it has something to say: it was waited for in vain. */
  #hearsLate = false;
  #capabilities: JsonObject = {};
  #logLevel: string | undefined;
  /** How many want to hear of each resource. */
  readonly #subscribed = new Map<string, number>();

  constructor(options: LegacyPeerOptions) {
    super(options);
    this.#options = options;
    const { capabilities } = options.client;
    this.#mustHear = ASKED.some((capability) => capabilities[capability] !== undefined);
  }

  ready(): Promise<ServerInfo> {
    this.#ready ??= this.#initialize();
    return this.#ready;
  }

  call(method: string, params: JsonObject, hooks: CallHooks): Call {
    const { logLevel } = this.options.client;
    if (logLevel !== undefined && logLevel !== this.#logLevel && this.#capabilities['logging'] !== undefined) {
      this.#logLevel = logLevel;
      const { result } = this.#begin('logging/setLevel', { level: logLevel }, NOBODY);
      return this.#after(settled(result), method, params, hooks);
    }
    const hearing =
      this.#mustHear && !this.#hearsLate && NAMED[method] !== undefined ? this.options.link.hear() : undefined;
    if (hearing) return this.#after(this.#heard(hearing), method, params, hooks);
    const meta = passingMeta(params);
    const { _meta, ...rest } = params;
    const sent = Object.keys(meta).length > 0 ? { ...rest, _meta: meta } : rest;
    const call = this.#begin(method, sent, hooks, metaOf(params)['progressToken']);
    if (method !== 'tools/list' || runsTasks(this.#capabilities)) return call;
    return { ...call, result: call.result.then(withoutTaskSupport) };
  }

  listen(wanted: Wanted, notify: CallHooks['notify']): Listening {
    const listener = { wanted, notify };
    this.listeners.add(listener);
    const heard = Promise.all([this.options.link.hear(), ...wanted.uris.map((uri) => this.#subscribe(uri))]);
    return {
      heard: inTime(heard),
      close: () => {
        if (!this.listeners.delete(listener) || this.closed) return;
        for (const uri of wanted.uris) this.#unsubscribe(uri);
      },
    };
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
    // What overtakes it is refused by servers that keep to the letter.
    await inTime(this.notifyServer('notifications/initialized', {}));
    // Not waited for here: a call that may be asked something waits.
    if (this.#mustHear) void this.options.link.hear();
    this.#capabilities = objectOf(result['capabilities']) ?? {};
    this.info = {
      capabilities: this.#capabilities,
      serverInfo: objectOf(result['serverInfo']) ?? {},
      instructions: stringOf(result['instructions']),
    };
    return this.info;
  }

  /** The call, made when what must come before it has. */
  #after(before: Promise<unknown>, method: string, params: JsonObject, hooks: CallHooks): Call {
    return lateCall(async (cancelled) => {
      await before;
      throwIfCancelled(cancelled);
      return this.call(method, params, hooks);
    });
  }

  async #heard(hearing: Promise<void>): Promise<void> {
    this.#hearsLate = !(await inTime(hearing));
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
    void this.notifyServer('notifications/cancelled', { requestId: id, reason: 'nobody waits for it any more' });
  }

  async #subscribe(uri: string): Promise<void> {
    const before = this.#subscribed.get(uri) ?? 0;
    this.#subscribed.set(uri, before + 1);
    if (before === 0) await settled(this.#begin('resources/subscribe', { uri }, NOBODY).result);
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

/** However it ended: whoever waits for the order of messages minds nothing else. */
function settled(result: Promise<unknown>): Promise<void> {
  return result.then(
    () => undefined,
    () => undefined,
  );
}
