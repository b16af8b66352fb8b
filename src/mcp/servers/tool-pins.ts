import { createHash } from 'node:crypto';
import { isArray, isObject, type JsonObject, objectOf, parseObject, stringOf } from '../../codec/json-value.ts';
import type { McpServer } from '../../config/mcp/mcp-servers.ts';
import type { Log } from '../../core/log.ts';

export interface ToolPinsOptions {
  /** What `text()` gave before; undefined: nothing was ever seen. */
  readonly text: string | undefined;
  readonly log: Log;
  /** Something is to be kept. */
  onChange(): void;
}

export interface ChangedTool {
  readonly name: string;
  /** When it was noticed, as ISO 8601. */
  readonly since: string;
}

interface Pin {
  /** The digest of the tool as it was approved. */
  approved: string;
  /** The digest of the tool as it is told of now, where that is another. */
  found?: string;
  since?: string;
}

interface ServerPins {
  /** Which server it is: another address, or another command, is another one. */
  readonly identity: string;
  readonly tools: Map<string, Pin>;
  /** The list that was looked at last: most are the same again and again. */
  lastList?: string;
}

/** More tools of one server are not remembered. */
const MAX_TOOLS = 10_000;

/**
 * What servers said of their tools when they were first seen. A description is read by models as if it were ours, so one
 * that is changed behind our back is noticed, and stays noticed until somebody approves it.
 */
export class ToolPins {
  readonly #options: ToolPinsOptions;
  readonly #servers = new Map<string, ServerPins>();

  constructor(options: ToolPinsOptions) {
    this.#options = options;
    const servers = objectOf(parseObject(options.text ?? '')?.['servers']) ?? {};
    for (const [name, written] of Object.entries(servers)) {
      const { identity, tools } = objectOf(written) ?? {};
      if (typeof identity !== 'string' || !isObject(tools)) continue;
      const pins = Object.entries(tools).flatMap(([tool, pin]) => (isPin(pin) ? [[tool, pin] as const] : []));
      this.#servers.set(name, { identity, tools: new Map(pins) });
    }
  }

  /** The pins to keep. */
  text(): string {
    const servers = [...this.#servers].map(([name, { identity, tools }]) => {
      return [name, { identity, tools: Object.fromEntries(tools) }] as const;
    });
    return JSON.stringify({ version: 1, servers: Object.fromEntries(servers) });
  }

  /** A server listed these. A tool that was never seen is taken as it is. */
  saw(server: string, identity: string, tools: readonly unknown[]): void {
    const pins = this.#of(server, identity);
    const list = digestOf(JSON.stringify(tools));
    if (pins.lastList === list) return;
    pins.lastList = list;
    let changed = false;
    // The first of two with one name counts, as it does where they are called.
    const seen = new Set<string>();
    for (const each of tools) {
      const tool = objectOf(each);
      const name = tool && stringOf(tool['name']);
      if (!tool || name === undefined || seen.has(name)) continue;
      seen.add(name);
      changed = this.#sawTool(server, pins, name, digestOf(steadyJson(aspectsOf(tool)))) || changed;
    }
    if (changed) this.#options.onChange();
  }

  isChanged(server: string, tool: string): boolean {
    return this.#servers.get(server)?.tools.get(tool)?.found !== undefined;
  }

  changed(server: string): ChangedTool[] {
    const tools = this.#servers.get(server)?.tools ?? new Map<string, Pin>();
    return [...tools].flatMap(([name, { found, since = '' }]) => (found === undefined ? [] : [{ name, since }]));
  }

  /** They may be as they are now. Undefined: all that changed. Gives the names of those that had. */
  approve(server: string, tools: readonly string[] | undefined): string[] {
    const names = this.changed(server)
      .map(({ name }) => name)
      .filter((name) => tools?.includes(name) ?? true);
    for (const name of names) {
      const pin = this.#servers.get(server)?.tools.get(name);
      if (pin?.found === undefined) continue;
      this.#servers.get(server)?.tools.set(name, { approved: pin.found });
    }
    if (names.length > 0) this.#options.onChange();
    return names;
  }

  #of(server: string, identity: string): ServerPins {
    const known = this.#servers.get(server);
    if (known?.identity === identity) return known;
    const pins: ServerPins = { identity, tools: new Map() };
    this.#servers.set(server, pins);
    return pins;
  }

  /** Gives whether something is to be kept. */
  #sawTool(server: string, { tools }: ServerPins, name: string, found: string): boolean {
    const pin = tools.get(name);
    if (pin === undefined) {
      if (tools.size < MAX_TOOLS) tools.set(name, { approved: found });
      return tools.size < MAX_TOOLS;
    }
    if (pin.approved === found) {
      const wasChanged = pin.found !== undefined;
      if (wasChanged) tools.set(name, { approved: found });
      return wasChanged;
    }
    if (pin.found === found) return false;
    this.#options.log.warn({ server, tool: name.slice(0, 128) }, 'a tool of an MCP server is no longer what it was');
    tools.set(name, { approved: pin.approved, found, since: pin.since ?? new Date().toISOString() });
    return true;
  }
}

/** Another address, or another command, is another server, whose tools are new. */
export function identityOf(server: McpServer): string {
  if (server.kind === 'remote') return digestOf(server.url);
  if (server.kind === 'stdio') return digestOf(JSON.stringify([server.command, server.args]));
  return '';
}

/** What a model or a rule goes by. */
function aspectsOf({ name, title, description, inputSchema, outputSchema, annotations }: JsonObject): JsonObject {
  return { name, title, description, inputSchema, outputSchema, annotations };
}

/** The same for the same value, in whatever order its keys stand. */
function steadyJson(value: unknown): string {
  return (
    JSON.stringify(value, (_key, each: unknown) => {
      if (isArray(each) || !isObject(each)) return each;
      return Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)));
    }) ?? ''
  );
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}

function isPin(value: unknown): value is Pin {
  if (!isObject(value) || typeof value['approved'] !== 'string') return false;
  return ['found', 'since'].every((key) => value[key] === undefined || typeof value[key] === 'string');
}
