import { isArray, type JsonObject, objectOf } from '../codec/json-value.ts';
import { GatewayError } from '../core/errors.ts';
import { OWN_NAMES } from '../mcp/servers/joint-server.ts';
import { isSelected } from '../mcp/servers/tool-policy.ts';
import { compilePatterns } from '../policy/model-pattern.ts';
import type { AgentServer } from './agent-request.ts';

/** A tool as its server lists it. */
export interface ListedTool {
  readonly name: string;
  /** By which a request may mean it: the listed one, and of a virtual server those of the servers behind it. */
  readonly names: readonly string[];
  readonly entry: JsonObject;
}

export function listedTools({ tools }: JsonObject): ListedTool[] {
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
export function meantTools(entries: readonly string[]): (names: readonly string[], entry: JsonObject) => boolean {
  const named = compilePatterns(entries.filter((entry) => !entry.startsWith('@')));
  const selectors = new Set(entries.filter((entry) => entry.startsWith('@')));
  return (names, entry) => names.some(named) || isSelected(selectors, entry);
}

/** A name that means nothing would let a call pass that somebody wanted to see before. */
export function unknownToolName(
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
