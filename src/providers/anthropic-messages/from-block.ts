import { isArray, isObject, type JsonObject, stringOf } from '../../codec/json-value.ts';
import type { InferenceEvent } from '../../inference/event.ts';

/** Calls and results of tools that run at Anthropic: `server_tool_use`, `mcp_tool_use`, `web_search_tool_result` … */
const SERVER_TOOL = /^(server|mcp)_tool_use$|_tool_result$/;

/**
 * A block that is neither said, thought nor called: what Anthropic's own tools were asked and found, and kinds that OpenAI
 * has none of, as a compaction. Both go out as Anthropic wrote them.
 */
export function pushAside(block: JsonObject, out: InferenceEvent[]): void {
  const key = SERVER_TOOL.test(stringOf(block['type']) ?? '') ? 'server_tools' : 'other_content';
  out.push({ type: 'extension', key, value: [block] });
}

/**
 * Sources of a text block, which stands at [start, end) of the answer in UTF-16 units. All of them are told as Anthropic
 * says them; one on the web is a citation as OpenAI has it as well.
 * https://platform.claude.com/docs/en/build-with-claude/citations
 */
export function pushCitations(
  citations: readonly unknown[],
  { start, end }: { start: number; end: number },
  out: InferenceEvent[],
): void {
  for (const citation of citations) {
    if (!isObject(citation)) continue;
    out.push({ type: 'extension', key: 'citations', value: [citation] });
    const url = stringOf(citation['url']) ?? webAddress(citation['source']);
    if (url) out.push({ type: 'citation', url, title: stringOf(citation['title']), start, end });
  }
}

/** Results of a search that the client made name their source in words of its own. */
function webAddress(source: unknown): string | undefined {
  const text = stringOf(source);
  return text !== undefined && /^https?:\/\//i.test(text) ? text : undefined;
}

/** What a message has beside its content: where its code ran, what became of its context. */
const BESIDE = ['container', 'context_management'];

export function pushBeside(message: JsonObject, out: InferenceEvent[]): void {
  for (const key of BESIDE) {
    const value = message[key];
    if (isObject(value) || isArray(value)) out.push({ type: 'extension', key, value });
  }
}
