import { isArray, isObject } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';

type MayBeLeftOut = (value: unknown) => boolean;

const always: MayBeLeftOut = () => true;
const never: MayBeLeftOut = () => false;

/**
 * Parameters of chat completions that wires of other forms rarely have a word for: whether this value of it may be left
 * out without giving the client something else than it asked for. What may not is refused by name.
 * https://platform.openai.com/docs/api-reference/chat/create
 */
const LEFT_OUT: Readonly<Record<string, MayBeLeftOut>> = {
  // Hints on how to compute.
  prediction: always,
  verbosity: always,
  // About storing and caching at OpenAI.
  store: always,
  prompt_cache_key: always,
  prompt_cache_options: always,
  prompt_cache_retention: always,
  // Where their value asks for nothing special.
  n: (value) => value === 1,
  logprobs: (value) => value === false,
  top_logprobs: (value) => value === 0,
  logit_bias: (value) => isObject(value) && Object.keys(value).length === 0,
  modalities: (value) => isArray(value) && value.every((kind) => kind === 'text'),
  // What the answer would have to hold.
  audio: never,
  moderation: never,
  web_search_options: never,
  // The forms before `tools`.
  functions: never,
  function_call: never,
};

/** How a vendor differs from that table. */
export interface OwnParameters {
  /** As people call it, for the error. */
  readonly vendor: string;
  /** Known to its wire, under whatever name. */
  readonly read: ReadonlySet<string>;
  /** Left out whatever their value is. */
  readonly harmless: ReadonlySet<string>;
}

/**
 * What of a client's further parameters goes on as it is: what neither the table nor the wire knows, since it may be the
 * vendor's own, and the vendor refuses by name what it does not know. Or the first parameter that cannot be expressed.
 */
export function ownParameters(
  extra: Readonly<Record<string, unknown>>,
  { vendor, read, harmless }: OwnParameters,
): OrError<Record<string, unknown>> {
  const kept: [string, unknown][] = [];
  for (const [key, value] of Object.entries(extra)) {
    if (read.has(key) || harmless.has(key)) continue;
    const mayBeLeftOut = Object.hasOwn(LEFT_OUT, key) ? LEFT_OUT[key] : undefined;
    if (mayBeLeftOut === undefined) kept.push([key, value]);
    else if (!mayBeLeftOut(value)) {
      return new GatewayError('unsupported_parameter', { param: key, detail: `${vendor} has nothing for \`${key}\`.` });
    }
  }
  return Object.fromEntries(kept);
}
