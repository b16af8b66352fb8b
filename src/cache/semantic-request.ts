import { Buffer } from 'node:buffer';
import { canonicalJson } from '../codec/canonical-json.ts';
import { isArray, isObject, parseObject } from '../codec/json-value.ts';
import type { SemanticCacheLimits } from '../config/server/cache.ts';
import type { TextSlot } from '../dialects/guarded-form.ts';
import { type KeyedRequest, keyOf } from './cache-key.ts';
import { type LiteralDigests, literalsOf } from './literal-guards.ts';
import type { FamilyKey } from './shared-vectors.ts';

/** Why a request gets the answers of equal requests alone. */
export type ExactOnly = 'model' | 'endpoint' | 'tools' | 'conversation' | 'agent' | 'text';

/** A request that may get the answer of one that is like it. */
export interface SemanticRequest {
  /** A digest of the request without its last text, of the principal, and of the embedding model. */
  readonly family: FamilyKey;
  /** What its last message says. */
  readonly text: string;
  readonly literals: LiteralDigests;
}

/** A key or a role that only requests have in which tools were, or may be, called. Within a text its quotes are escaped. */
const TOOLS =
  /"role":"(?:tool|function)"|"(?:tool_calls|function_call|tool_call_id|tool_use_id|call_id)":|"type":"[a-z_0-9]*(?:tool|_call)[a-z_0-9]*"/;
const TOOL_LISTS = ['tools', 'functions', 'mcp_servers'];
const OUTSIDE_CONVERSATION: ReadonlySet<unknown> = new Set(['system', 'developer']);

/** Programs that write code and send no list of tools with some of their requests. */
const CODING_AGENT =
  /\b(?:claude-?(?:cli|code)|codex|cursor|copilot|cline|roo-?code|kilo-?code|aider|opencode|openhands|windsurf|gemini-?cli|qwen-?code|goose|continue|zed|droid|amp|crush)/i;

/** `body`: canonical. `model`: of embeddings. */
export function semanticRequest(
  request: KeyedRequest,
  body: string,
  model: string | undefined,
  { maxMessages, maxTextBytes }: SemanticCacheLimits,
): SemanticRequest | ExactOnly {
  const { exchange, dialect } = request;
  const turns = dialect.cached?.turns;
  if (model === undefined) return 'model';
  if (turns === undefined || dialect.guarded === undefined) return 'endpoint';
  if (isOfAgent(request)) return 'agent';
  const parsed = parseObject(exchange.body.toString());
  if (parsed === undefined) return 'text';
  if (TOOLS.test(body) || TOOL_LISTS.some((key) => isList(parsed[key]))) return 'tools';
  if (messagesIn(parsed[turns]) > maxMessages) return 'conversation';
  const text = lastText(dialect.guarded.request(parsed));
  if (text === undefined || Buffer.byteLength(text) > maxTextBytes) return 'text';
  const rest = without(text, body);
  if (rest === undefined) return 'text';
  return { family: keyOf(request, `${model}\n${rest}`).words, text, literals: literalsOf(text) };
}

function isOfAgent({ exchange: { headers }, dialect: { metadataHeaders = {} } }: KeyedRequest): boolean {
  const { forwardable } = headers;
  if (forwardable === undefined) return false;
  const agent = forwardable['user-agent'];
  return (
    (agent !== undefined && CODING_AGENT.test(agent)) ||
    Object.keys(metadataHeaders).some((name) => name in forwardable)
  );
}

function isList(value: unknown): boolean {
  return isArray(value) && value.length > 0;
}

function messagesIn(turns: unknown): number {
  if (!isArray(turns)) return 1;
  return turns.filter((each) => !isObject(each) || !OUTSIDE_CONVERSATION.has(each['role'])).length;
}

/** The text of the last message, if a user wrote it; undefined: somebody else did, or it is blank. */
function lastText(slots: readonly TextSlot[]): string | undefined {
  const last = slots.at(-1);
  const text = last?.holder[last.key];
  return last?.kind === 'text' && last.role === 'user' && typeof text === 'string' && /\S/u.test(text)
    ? text
    : undefined;
}

/** All else of a body. Undefined: the text stands in it more than once, and nobody knows which of them is asked. */
function without(text: string, body: string): string | undefined {
  const token = canonicalJson(Buffer.from(JSON.stringify(text)));
  if (token === undefined) return undefined;
  const at = body.indexOf(token);
  if (at < 0 || body.indexOf(token, at + 1) >= 0) return undefined;
  return `${body.slice(0, at)}?${body.slice(at + token.length)}`;
}
