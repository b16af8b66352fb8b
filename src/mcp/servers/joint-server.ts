import { createHash } from 'node:crypto';
import { type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import { INVALID_PARAMS, METHOD_NOT_FOUND, RpcError } from '../protocol/json-rpc.ts';
import { scopeBehind } from '../protocol/scopes.ts';
import { LEGACY_TASK_ABILITIES, LEGACY_TASK_METHODS, TASK_METHODS, TASKS, unknownTask } from '../protocol/tasks.ts';
import { callOf, cancelledCall, lateCall, throwIfCancelled } from '../upstream/late-call.ts';
import type { Call, CallHooks, Listening, ServerInfo, Wanted } from '../upstream/peer.ts';
import { type Asker, contextOf, everyPage, firstOf, type Part } from './parts.ts';
import type { CallContext, CallHolder, Served, ServerHealth, ToolName } from './served.ts';
import { listIn, type ToolPolicy, unknownTool } from './tool-policy.ts';

export interface JointOptions {
  readonly name: string;
  readonly description: string;
  readonly kind: string;
  mayUse(subjects: ReadonlySet<string>): boolean;
  /** The rules of access to tools, besides those of each server; it knows tools by both names. Absent: everybody may use all. */
  readonly policy?: ToolPolicy;
  /** The servers that the caller may use, in their order. */
  parts(context: Asker): readonly Part[];
  /** Bound of the tools of all servers together. */
  maxTools(): number;
}

/** Key of `_meta` of a listed tool: its names behind this server, the nearest first. */
export const OWN_NAMES = 'sluice/own-names';

const MAX_NAME = 64;
const SUFFIX = 9;
/** Names that are remembered with where they lead; an unknown one is looked for anew. */
const MAX_PLACES = 20_000;

interface Place {
  readonly server: string;
  readonly name: string;
  /** As its server lists it. */
  readonly entry: JsonObject;
}

/**
 * Tools, prompts and resources of several servers under one name. A name is that of its server with a suffix made of
 * both: so it is the same whatever other servers list, two never meet, and it has at most 64 characters.
 */
export class JointServer implements Served {
  readonly name: string;
  readonly description: string;
  readonly kind: string;
  readonly #options: JointOptions;
  readonly #tools = new Map<string, Place>();
  readonly #prompts = new Map<string, Place>();
  /** By address: the server that listed it. */
  readonly #resources = new Map<string, string>();

  constructor(options: JointOptions) {
    this.#options = options;
    this.name = options.name;
    this.description = options.description;
    this.kind = options.kind;
  }

  mayUse({ subjects }: Pick<CallContext, 'subjects'>): boolean {
    return this.#options.mayUse(subjects);
  }

  info(): Promise<ServerInfo> {
    return Promise.resolve({
      capabilities: {
        tools: { listChanged: true },
        prompts: { listChanged: true },
        resources: { listChanged: true, subscribe: true },
        completions: {},
        // Each client is told of those of its era.
        tasks: LEGACY_TASK_ABILITIES,
        extensions: { [TASKS]: {} },
      },
      serverInfo: { name: this.name, version: '1' },
      instructions: this.description === '' ? undefined : this.description,
    });
  }

  call(context: CallContext, method: string, params: JsonObject, hooks: CallHooks): Call {
    switch (method) {
      case 'tools/list':
        return callOf(this.#list(context, method, 'tools', this.#tools));
      case 'prompts/list':
        return callOf(this.#list(context, method, 'prompts', this.#prompts));
      case 'resources/list':
        return callOf(this.#list(context, method, 'resources', undefined));
      case 'resources/templates/list':
        return callOf(this.#list(context, method, 'resourceTemplates', undefined));
      case 'tools/call':
        return this.#named(context, method, params, hooks, 'tools', this.#tools);
      case 'prompts/get':
        return this.#named(context, method, params, hooks, 'prompts', this.#prompts);
      case 'resources/read':
        return this.#read(context, params, hooks);
      case 'completion/complete':
        return this.#complete(context, params, hooks);
      default: {
        if (method === 'tasks/list' && context.session) return callOf(this.#tasksOfAll(context));
        const ofTask = context.session ? LEGACY_TASK_METHODS : TASK_METHODS;
        if (ofTask.has(method)) return this.#ofTask(context, method, params, hooks);
        const result = Promise.reject<JsonObject>(new RpcError(METHOD_NOT_FOUND, `Method not found: ${method}`));
        return callOf(result);
      }
    }
  }

  async tools(context: CallContext): Promise<readonly JsonObject[]> {
    const parts = this.#parts(context);
    const lists = await Promise.all(
      // A server that is away is left out.
      parts.map((part) => part.server.tools(contextOf(context, part)).catch(() => [])),
    );
    const found = lists.flatMap((list, index) =>
      list.flatMap((each) => this.#shown(context, each, parts[index]!, 'tools', this.#tools)),
    );
    return onceEach(found, 'tools');
  }

  /** That of the tool's own server counts. */
  priceOf(): undefined {}

  listen(context: CallContext, wanted: Wanted, notify: CallHooks['notify']): Listening {
    const all = this.#parts(context).map((part) => {
      const uris = wanted.uris.filter((uri) => (this.#resources.get(uri) ?? part.server.name) === part.server.name);
      return part.server.listen(contextOf(context, part), { ...wanted, uris }, notify);
    });
    return {
      heard: Promise.all(all.map(({ heard }) => heard)),
      close: () => {
        for (const each of all) each.close();
      },
    };
  }

  health(): ServerHealth {
    return { status: 'up', sessions: 0 };
  }

  close(): void {}

  /** All pages of all servers as one list, in an order that stays. A server that is away is left out, not the whole list. */
  async #list(
    context: CallContext,
    method: string,
    key: string,
    places: Map<string, Place> | undefined,
  ): Promise<JsonObject> {
    const parts = this.#parts(context);
    const lists = await Promise.all(
      parts.map((part) =>
        everyPage(part, contextOf(context, part), method, key, this.#options.maxTools()).catch(() => []),
      ),
    );
    const found = lists.flatMap((list, index) =>
      list.flatMap((each) => this.#shown(context, each, parts[index]!, key, places)),
    );
    return { [key]: onceEach(found, key).slice(0, this.#options.maxTools()) };
  }

  #shown(
    context: CallContext,
    each: unknown,
    part: Part,
    key: string,
    places: Map<string, Place> | undefined,
  ): JsonObject[] {
    const entry = objectOf(each);
    if (!entry) return [];
    if (!places) {
      const uri = stringOf(entry['uri']);
      if (uri !== undefined) remember(this.#resources, uri, part.server.name);
      return [entry];
    }
    const name = stringOf(entry['name']);
    if (name === undefined || (key === 'tools' && part.enabledTools?.has(name) === false)) return [];
    const shown = jointName(part.server.name, name);
    const place = { server: part.server.name, name, entry };
    remember(places, shown, place);
    if (key !== 'tools') return [{ ...entry, name: shown }];
    return this.#allows(context, shown, place)
      ? [{ ...entry, name: shown, _meta: withOwnNames(entry, name, part) }]
      : [];
  }

  #allows(context: CallContext, shown: string, { name, entry }: Place): boolean {
    const { policy } = this.#options;
    return !policy || policy.allows(name, entry, context) || policy.allows(shown, entry, context);
  }

  #named(
    context: CallContext,
    method: string,
    params: JsonObject,
    hooks: CallHooks,
    key: 'tools' | 'prompts',
    places: Map<string, Place>,
  ): Call {
    const shown = stringOf(params['name']) ?? '';
    return lateCall(async (cancelled) => {
      const found = await this.#find(context, shown, key, places);
      if (!found) throw unknownTool(shown);
      throwIfCancelled(cancelled);
      const { part, name } = found;
      const own = contextOf(context, part);
      if (key === 'prompts') return part.server.call(own, method, { ...params, name }, hooks);
      const askedAs = [...(context.askedAs ?? []), { server: this.name, tool: shown }];
      // A server that is made of others knows better which tool is meant in the end.
      const held = part.server.kind === 'virtual' ? undefined : await this.#held(context, askedAs, part, name, params);
      if (cancelled()) {
        void held?.failed(cancelledCall());
        throw cancelledCall();
      }
      const asked = held?.args === undefined ? params : { ...params, arguments: held.args };
      const call = part.server.call({ ...own, askedAs }, method, { ...asked, name }, hooks);
      if (held === undefined) return call;
      const result = call.result.then(held.succeeded, async (error: unknown) => {
        throw await held.failed(error);
      });
      result.catch(() => undefined);
      return { result, cancel: call.cancel };
    });
  }

  #held(
    { holder }: CallContext,
    askedAs: readonly ToolName[],
    { server }: Part,
    tool: string,
    params: JsonObject,
  ): ReturnType<CallHolder['hold']> {
    return holder.hold({
      called: [...askedAs, { server: server.name, tool }],
      costNanoUsd: server.priceOf(tool),
      args: params['arguments'],
    });
  }

  async #find(
    context: CallContext,
    shown: string,
    key: 'tools' | 'prompts',
    places: Map<string, Place>,
  ): Promise<{ part: Part; name: string } | undefined> {
    if (!places.has(shown)) await this.#list(context, `${key}/list`, key, places);
    const place = places.get(shown);
    const part = place && this.#parts(context).find(({ server }) => server.name === place.server);
    if (!place || !part) return undefined;
    if (key === 'tools' && part.enabledTools?.has(place.name) === false) return undefined;
    if (key === 'tools' && !this.#allows(context, shown, place)) return undefined;
    return { part, name: place.name };
  }

  /** Servers that a token is not good for are not there. */
  #parts(context: Asker): readonly Part[] {
    const { scope } = context;
    const parts = this.#options.parts(context);
    return scope ? parts.filter(({ server }) => scopeBehind(scope, server.name).here !== undefined) : parts;
  }

  toolOfTask(params: JsonObject, context: Asker): string | undefined {
    return this.#partOfTask(context, params)?.server.toolOfTask?.(params, context);
  }

  #partOfTask(context: Asker, params: JsonObject): Part | undefined {
    return this.#parts(context).find(({ server, enabledTools }) => {
      const tool = server.toolOfTask?.(params, context);
      return tool !== undefined && enabledTools?.has(tool) !== false;
    });
  }

  #ofTask(context: CallContext, method: string, params: JsonObject, hooks: CallHooks): Call {
    const part = this.#partOfTask(context, params);
    if (!part) return callOf(Promise.reject<JsonObject>(unknownTask()));
    return part.server.call(contextOf(context, part), method, params, hooks);
  }

  async #tasksOfAll(context: CallContext): Promise<JsonObject> {
    const lists = await Promise.all(
      this.#parts(context).map(async (part) => {
        const own = contextOf(context, part);
        const all = await everyPage(part, own, 'tasks/list', 'tasks', this.#options.maxTools()).catch(() => []);
        const { server, enabledTools } = part;
        return all.filter((each) => {
          const tool = server.toolOfTask?.(objectOf(each) ?? {}, context);
          return tool !== undefined && enabledTools?.has(tool) !== false;
        });
      }),
    );
    return { tasks: lists.flat() };
  }

  #read(context: CallContext, params: JsonObject, hooks: CallHooks): Call {
    const uri = stringOf(params['uri']) ?? '';
    return lateCall(async (cancelled) => {
      if (!this.#resources.has(uri)) await this.#list(context, 'resources/list', 'resources', undefined);
      throwIfCancelled(cancelled);
      const parts = this.#parts(context);
      const owner = this.#resources.get(uri);
      const [known] = parts.filter(({ server }) => server.name === owner);
      if (known) return known.server.call(contextOf(context, known), 'resources/read', params, hooks);
      // The address is of a template: the first server that knows it answers.
      return callOf(
        firstOf(parts, (part) => part.server.call(contextOf(context, part), 'resources/read', params, hooks)),
      );
    });
  }

  #complete(context: CallContext, params: JsonObject, hooks: CallHooks): Call {
    const ref = objectOf(params['ref']) ?? {};
    const shown = stringOf(ref['name']);
    return lateCall(async (cancelled) => {
      const parts = this.#parts(context);
      if (shown === undefined) {
        return callOf(
          firstOf(parts, (part) => part.server.call(contextOf(context, part), 'completion/complete', params, hooks)),
        );
      }
      const found = await this.#find(context, shown, 'prompts', this.#prompts);
      if (!found) throw new RpcError(INVALID_PARAMS, `Unknown prompt: ${shown.slice(0, 128)}`);
      throwIfCancelled(cancelled);
      const asked = { ...params, ref: { ...ref, name: found.name } };
      return found.part.server.call(contextOf(context, found.part), 'completion/complete', asked, hooks);
    });
  }
}

/** Which field tells entries of a list apart; a server that lists one twice has one. */
const IDENTITY: Readonly<Record<string, string>> = { resources: 'uri', resourceTemplates: 'uriTemplate' };

function onceEach(entries: readonly JsonObject[], key: string): JsonObject[] {
  const field = IDENTITY[key] ?? 'name';
  return [...new Map(entries.map((entry) => [entry[field], entry] as const).reverse()).values()].reverse();
}

/** The suffix: as many characters of the name as fit, and eight of a digest of both. */
function jointName(server: string, name: string): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([server, name]))
    .digest('hex')
    .slice(0, SUFFIX - 1);
  return `${name.slice(0, MAX_NAME - SUFFIX)}_${digest}`;
}

/** Only a joint server is believed about the names of tools behind it. */
function withOwnNames(entry: JsonObject, name: string, { server }: Part): JsonObject {
  const meta = objectOf(entry['_meta']);
  const before = server.kind === 'virtual' && meta ? listIn(meta, OWN_NAMES) : [];
  return { ...meta, [OWN_NAMES]: [name, ...before] };
}

function remember<Value>(map: Map<string, Value>, key: string, value: Value): void {
  if (map.size >= MAX_PLACES && !map.has(key)) map.clear();
  map.set(key, value);
}
