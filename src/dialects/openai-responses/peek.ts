import { type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import { PeekKeys } from '../../codec/peek-keys.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { PeekedRequest, RequestScan } from '../dialect.ts';
import { JsonRequestScan, type NamedModel, parsed } from '../openai-json/request-scan.ts';

/** What an answer repeats of its request. */
const REPEATED = [
  'background',
  'conversation',
  'include',
  'instructions',
  'max_output_tokens',
  'max_tool_calls',
  'metadata',
  'parallel_tool_calls',
  'previous_response_id',
  'prompt_cache_key',
  'reasoning',
  'safety_identifier',
  'store',
  'temperature',
  'text',
  'tool_choice',
  'tools',
  'top_logprobs',
  'top_p',
  'truncation',
  'user',
];
const OTHERS = ['model', 'stream', 'service_tier', 'input'];
/** Every top-level key that the gateway itself reads: repeated or escaped, it is refused. */
const keys = new PeekKeys([...OTHERS, ...REPEATED]);
const MODEL = 0;
export const STREAM = 1;
const SERVED_TERMS = [['serviceTier', 2]] as const;
export const INPUT = 3;
export const BACKGROUND = keys.names.indexOf('background');
export const CONVERSATION = keys.names.indexOf('conversation');
const PROMPT_CACHE_KEY = keys.names.indexOf('prompt_cache_key');
const MAX_OUTPUT_TOKENS = keys.names.indexOf('max_output_tokens');
export const PREVIOUS = keys.names.indexOf('previous_response_id');
const STORE = keys.names.indexOf('store');

/** What a request for a response says beyond what every request does; the offsets are for `splice` and `repeated`. */
export interface PeekedResponses extends PeekedRequest, NamedModel {
  model: string;
  /** By the index of a key; -1 where it is absent. */
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

/** Reads a request for a response as its bytes arrive; `result` once all are there. */
export class ResponsesScan extends JsonRequestScan implements RequestScan {
  constructor() {
    super(keys);
  }

  result(body: Buffer): OrError<PeekedResponses> {
    const named = this.fault() ?? this.model(body, MODEL);
    if (named instanceof GatewayError) return named;
    const stream = this.flag(body, STREAM);
    if (stream instanceof GatewayError) return stream;
    const background = this.flag(body, BACKGROUND);
    if (background instanceof GatewayError) return background;
    const stores = this.flag(body, STORE);
    if (stores instanceof GatewayError) return stores;
    const maxOutputTokens = this.count(body, MAX_OUTPUT_TOKENS);
    if (maxOutputTokens instanceof GatewayError) return maxOutputTokens;
    const { starts, ends } = this;
    const conversation = parsed(body, starts[CONVERSATION]!, ends[CONVERSATION]!);
    const conversationId = conversationOf(conversation);
    if (conversationId === undefined && conversation !== undefined && conversation !== null) {
      const detail = '`conversation` must be the id of a conversation, or an object with its `id`.';
      return new GatewayError('invalid_parameter', { param: 'conversation', detail });
    }
    return {
      ...named,
      stream,
      includeUsage: true,
      maxOutputTokens,
      choices: 1,
      servedAs: this.servedAs(body, SERVED_TERMS),
      metadata: this.cacheKey(body, PROMPT_CACHE_KEY),
      state: {
        previousId: this.word(body, PREVIOUS),
        conversationId,
        stores: stores || !isFalse(body, starts[STORE]!),
        background,
        input: { start: starts[INPUT]!, end: ends[INPUT]! },
      },
      starts,
      ends,
    };
  }
}

const SMALL_F = 0x66;

function isFalse(body: Buffer, start: number): boolean {
  return start >= 0 && body[start] === SMALL_F;
}

/** Its id, or an object with it. */
function conversationOf(value: unknown): string | undefined {
  return stringOf(value) ?? stringOf(objectOf(value)?.['id']);
}

/** The values of a request that its answer repeats, by their keys. Only these are parsed. */
export function repeated(body: Buffer, { starts, ends, state }: PeekedResponses): JsonObject {
  const values: Record<string, unknown> = {};
  for (const [index, name] of keys.names.entries()) {
    if (index < OTHERS.length || starts[index]! < 0) continue;
    const value = parsed(body, starts[index]!, ends[index]!);
    if (value !== undefined && value !== null) values[name] = value;
  }
  const { continuedFrom, continuedIn, stores } = state ?? {};
  if (continuedFrom !== undefined) values['previous_response_id'] = continuedFrom;
  if (continuedIn !== undefined) values['conversation'] = continuedIn;
  if (stores !== undefined) values['store'] = stores;
  return values;
}
