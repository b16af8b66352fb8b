import { scalarText } from '../../codec/exact-json.ts';
import { type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import type { McpRemote, McpStdio } from '../../config/mcp/mcp-servers.ts';
import { GenerationCache } from '../../core/generation-cache.ts';
import { INVALID_PARAMS, RpcError } from '../protocol/json-rpc.ts';
import { scopeBehind } from '../protocol/scopes.ts';
import { runsTasks, withoutExecution } from '../protocol/tasks.ts';
import type { CallContext } from './served.ts';
import type { Opened, ServerHost } from './server-host.ts';
import { ToolNames } from './tool-names.ts';
import { identityOf } from './tool-pins.ts';
import { listIn, onceEachName, requireScope, type ToolPolicy, unknownTool } from './tool-policy.ts';

export interface LeafToolsOptions {
  readonly base: McpRemote | McpStdio;
  readonly host: ServerHost;
  readonly policy: ToolPolicy;
  /** The peer of this caller. Rejects with whatever the server failed with. */
  opened(context: CallContext): Promise<Opened>;
  /** A failure in the words of the client's protocol. */
  told(error: unknown): RpcError;
  /** One page of `tools/list`. Rejects with an RpcError. */
  page(context: CallContext, params: JsonObject): Promise<JsonObject>;
}

const MAX_LISTS = 1_000;

/** The tools of one server: what it lists, remembered for `mcp.list_ttl_ms`, and who sees and calls which of them. */
export class LeafTools {
  /** Names of all that were listed; undefined: nothing was yet. */
  seen: readonly string[] | undefined;
  readonly #o: LeafToolsOptions;
  readonly #identity: string;
  readonly #names = new ToolNames();
  readonly #lists = new GenerationCache<{ untilMs: number; tools: readonly unknown[] }>(MAX_LISTS);

  constructor(options: LeafToolsOptions) {
    this.#o = options;
    this.#identity = identityOf(options.base);
  }

  forgetLists(): void {
    this.#lists.clear();
  }

  /** All that the caller may see, of all pages; at most `mcp.max_tools`. */
  async shownTo(context: CallContext): Promise<JsonObject[]> {
    return this.#shown(await this.#listed(context), context);
  }

  async #listed(context: CallContext): Promise<readonly unknown[]> {
    const { maxTools, listTtlMs } = this.#o.host.settings();
    let key: string;
    try {
      ({ key } = await this.#o.opened(context));
    } catch (error) {
      throw this.#o.told(error);
    }
    const now = performance.now();
    let known = this.#lists.get(key);
    if (known === undefined || now >= known.untilMs) {
      const tools = await this.#everyPage(context, maxTools);
      known = { untilMs: now + listTtlMs, tools };
      this.#lists.set(key, known);
      this.seen = namesOf(tools);
      this.#names.learn(this.seen);
    }
    return known.tools;
  }

  /** Asked of a call that failed: a server without tasks is not asked what it lists. */
  async mustBeTask(context: CallContext, name: string): Promise<boolean> {
    const { peer } = await this.#o.opened(context);
    if (peer.era !== 'legacy' || !runsTasks((await peer.ready()).capabilities)) return false;
    return (await this.#listed(context)).some((each) => {
      const tool = objectOf(each);
      return tool?.['name'] === name && objectOf(tool['execution'])?.['taskSupport'] === 'required';
    });
  }

  /** Its name alone allows it, and nothing else is looked at. */
  mayCallAtOnce(context: CallContext, name: string): boolean {
    return this.#isAllowedByName(context, name) && this.#isWhollyInScope(context);
  }

  #isAllowedByName(context: CallContext, name: string): boolean {
    if (this.#o.host.settings().onChangedTool !== 'warn' || this.#names.isMistaken(name)) return false;
    return this.#o.policy.allows(name, undefined, context);
  }

  async check(context: CallContext, name: string): Promise<void> {
    if (this.mayCallAtOnce(context, name)) return;
    await this.#checkAccess(context, name);
    if (this.#isWhollyInScope(context)) return;
    const tools = await this.shownTo(context);
    requireScope(
      context,
      this.#o.base.name,
      tools.find((tool) => tool['name'] === name),
    );
  }

  /** Whatever tool of it is called. */
  #isWhollyInScope({ scope }: CallContext): boolean {
    return !scope || scopeBehind(scope, this.#o.base.name).here === 'all';
  }

  async #checkAccess(context: CallContext, name: string): Promise<void> {
    if (this.#names.isMistaken(name)) throw unknownTool(name);
    if (this.#isAllowedByName(context, name)) return;
    const { policy } = this.#o;
    const mayCall = policy.allows(name, undefined, context);
    // With `refuse` what the server says of its tools now must be known, too.
    const tools = policy.needsAnnotations || mayCall ? await this.shownTo(context) : [];
    if (this.#isRefused(name) && policy.allows(name, undefined, context)) throw changedTool(this.#o.base.name, name);
    if (mayCall || tools.some((tool) => tool['name'] === name)) return;
    throw unknownTool(name);
  }

  #isRefused(name: string): boolean {
    return this.#o.host.settings().onChangedTool === 'refuse' && this.#o.host.pins.isChanged(this.#o.base.name, name);
  }

  shownIn(result: JsonObject, context: CallContext): JsonObject {
    const { maxTools } = this.#o.host.settings();
    const tools = onceEachName(listIn(result, 'tools')).slice(0, maxTools);
    const names = namesOf(tools);
    this.#names.learn(names);
    this.#o.host.pins.saw(this.#o.base.name, this.#identity, tools);
    // A client that asks for lists itself goes page by page: what is on one of them is added to what was seen.
    this.seen = [...new Set([...(this.seen ?? []), ...names])].slice(0, maxTools);
    return { ...result, tools: this.#shown(tools, context) };
  }

  #shown(tools: readonly unknown[], context: CallContext): JsonObject[] {
    const shown = this.#o.policy.shown(tools, context).filter(({ name }) => !this.#isRefused(scalarText(name) ?? ''));
    // How clients of the older era ask for a task is nothing to those of the newer one.
    return context.session ? shown : shown.map(withoutExecution);
  }

  async #everyPage(context: CallContext, maxTools: number): Promise<unknown[]> {
    const tools: unknown[] = [];
    let cursor: string | undefined;
    do {
      const params = cursor === undefined ? {} : { cursor };
      const page = await this.#o.page(context, params);
      const found = listIn(page, 'tools');
      tools.push(...found);
      const next = stringOf(page['nextCursor']);
      // A server that goes round in a circle, or gives empty pages for ever.
      cursor = next !== cursor && found.length > 0 ? next : undefined;
    } while (cursor !== undefined && tools.length < maxTools);
    if (tools.length > maxTools || cursor !== undefined) {
      this.#o.host.log.warn({ server: this.#o.base.name, maxTools }, 'an MCP server lists more tools than it may');
    }
    const kept = onceEachName(tools).slice(0, maxTools);
    this.#o.host.pins.saw(this.#o.base.name, this.#identity, kept);
    return kept;
  }
}

/** Said to whoever may use the tool: it is there, and why it is not called. */
function changedTool(server: string, tool: string): RpcError {
  const message = `The tool \`${tool.slice(0, 128)}\` of \`${server}\` is not what it was when it was approved; an administrator must look at it.`;
  return new RpcError(INVALID_PARAMS, message, { code: 'mcp_tool_changed' });
}

function namesOf(tools: readonly unknown[]): string[] {
  return tools.flatMap((tool) => stringOf(Reflect.get(Object(tool), 'name')) ?? []);
}
