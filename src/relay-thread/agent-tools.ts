import { isArray, isObject, type JsonObject, objectOf, stringOf } from '../codec/json-value.ts';
import { GatewayError } from '../core/errors.ts';
import { OWN_NAMES } from '../mcp/servers/joint-server.ts';
import { isSelected } from '../mcp/servers/tool-policy.ts';
import { compilePatterns } from '../policy/model-pattern.ts';
import type { AgentServer } from './agent-request.ts';
import { McpFailure } from './mcp-request.ts';

const MAX_TOOLS = 128;
/** As OpenAI bounds the name of a function. */
const MAX_NAME = 64;

/** The bounds of one server's list: what lies behind is not there for the model. */
const MAX_PAGES = 50;
const MAX_LISTED = 5_000;

/** A tool by the name that the model has for it. */
interface KnownTool {
  readonly from: AgentServer;
  readonly name: string;
  readonly needsApproval: boolean;
}

/** Tools of the servers of one run, and the functions that the model knows them by. */
export class AgentTools {
  /** As a chat declares them. */
  readonly functions: object[] = [];
  readonly #known = new Map<string, KnownTool>();

  get(name: string): KnownTool | undefined {
    return this.#known.get(name);
  }

  /** `list`: what the server with this index in the request answered. An error where the request names a tool that it lacks. */
  learn(from: AgentServer, index: number, list: JsonObject): GatewayError | undefined {
    const isEnabled = from.tools && meantTools(from.tools);
    const wantsApproval = meantTools(from.approval);
    const known: (readonly string[])[] = [];
    for (const { name, names: own, entry } of listedTools(list)) {
      known.push(own);
      if (isEnabled?.(own, entry) === false) continue;
      const shown = this.#freeName(name);
      // A reader of the events knows it by the name that the model has.
      const names = [...own, shown];
      known.push(names);
      this.#known.set(shown, { from, name, needsApproval: wantsApproval(names, entry) });
      const { description, inputSchema } = entry;
      const parameters = isObject(inputSchema) ? inputSchema : { type: 'object' };
      this.functions.push({ type: 'function', function: { name: shown, description, parameters } });
    }
    return unknownToolName(from, index, known);
  }

  tooMany(): GatewayError | undefined {
    const { length } = this.functions;
    if (length <= MAX_TOOLS) return undefined;
    const detail = `The servers have ${length} tools; name those to use, at most ${MAX_TOOLS}.`;
    return new GatewayError('invalid_parameter', { param: 'mcp_servers', detail });
  }

  /** As models take names, and no two alike. */
  #freeName(name: string): string {
    const plain = name.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, MAX_NAME);
    let free = plain;
    for (let count = 2; this.#known.has(free); count += 1) free = `${plain.slice(0, MAX_NAME - 4)}_${count}`;
    return free;
  }
}

/** All that a server lists, as one page. */
export async function everyPage(
  ask: (params: JsonObject) => Promise<JsonObject | McpFailure>,
): Promise<JsonObject | McpFailure> {
  const tools: unknown[] = [];
  let params: JsonObject = {};
  for (let pages = 1; ; pages += 1) {
    const page = await ask(params);
    if (page instanceof McpFailure) return page;
    const found = isArray(page['tools']) ? page['tools'] : [];
    tools.push(...found);
    const cursor = stringOf(page['nextCursor']);
    // A server that goes round in a circle, or never comes to an end.
    const isLast = cursor === undefined || cursor === params['cursor'] || found.length === 0;
    if (isLast || pages === MAX_PAGES || tools.length >= MAX_LISTED) return { tools };
    params = { cursor };
  }
}

/** A tool as its server lists it. */
interface ListedTool {
  readonly name: string;
  /** By which a request may mean it: the listed one, and of a virtual server those of the servers behind it. */
  readonly names: readonly string[];
  readonly entry: JsonObject;
}

function listedTools({ tools }: JsonObject): ListedTool[] {
  return (isArray(tools) ? tools : []).flatMap((each) => {
    const entry = objectOf(each);
    const name = entry?.['name'];
    if (!entry || typeof name !== 'string') return [];
    const own = objectOf(entry['_meta'])?.[OWN_NAMES];
    const names = isArray(own) ? own.filter((other) => typeof other === 'string') : [];
    return [{ name, names: [name, ...names], entry }];
  });
}

/** Tools that entries mean, as `tool_access` has them: names with `*`, and the words that begin with `@`. */
function meantTools(entries: readonly string[]): (names: readonly string[], entry: JsonObject) => boolean {
  const named = compilePatterns(entries.filter((entry) => !entry.startsWith('@')));
  const selectors = new Set(entries.filter((entry) => entry.startsWith('@')));
  return (names, entry) => names.some(named) || isSelected(selectors, entry);
}

/** A name that means nothing would let a call pass that somebody wanted to see before. */
function unknownToolName(
  { tools = [], approval }: Pick<AgentServer, 'tools' | 'approval'>,
  index: number,
  listed: readonly (readonly string[])[],
): GatewayError | undefined {
  for (const [field, entries] of [
    ['tools', tools],
    ['require_approval_for_tools', approval],
  ] as const) {
    const place = entries.findIndex((entry) => !entry.startsWith('@') && !listed.some(namedBy(entry)));
    if (place < 0) continue;
    const param = `mcp_servers.${index}.${field}.${place}`;
    const detail = `\`${param}\`: The server has no tool \`${entries[place]}\` that you may use.`;
    return new GatewayError('invalid_parameter', { param, detail });
  }
  return undefined;
}

function namedBy(entry: string): (names: readonly string[]) => boolean {
  const named = compilePatterns([entry]);
  return (names) => names.some(named);
}
