import { type ErrorCode, type ErrorContext, GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import type { Dialect, DialectTranslation } from '../dialects/dialect.ts';
import { type CacheMarker, withCacheMarkers } from '../inference/cache-marker.ts';
import type { EmbeddingRequest } from '../inference/embedding.ts';
import type { Task } from '../offload/tasks.ts';
import type { MadeRequest, Translation, TranslationTarget, Wire } from '../providers/provider.ts';

import { type FetchedMedia, inlineMedia } from './media-by-address.ts';

export interface TranslatedRequest extends MadeRequest {
  /** Bodies of further requests, in order, where the client asks for more than the provider takes at once. */
  readonly more?: readonly Buffer[] | undefined;
  /** How many inputs each of them but the last has; undefined where there are no more. */
  readonly partInputs?: number | undefined;
}

/** What a client asks for, in its own form. */
export interface TranslatableRequest {
  readonly body: Buffer;
  readonly cacheMarker: CacheMarker | undefined;
  /** What it names by address, where that was fetched. */
  readonly media?: FetchedMedia | undefined;
}

/** As OpenAI: https://platform.openai.com/docs/api-reference/embeddings/create */
const MAX_SPLIT_INPUTS = 2_048;

/** Parsed and rewritten, about 10 ms for a megabyte of many small values. */
export function translateRequest(
  from: DialectTranslation,
  to: Translation,
  target: TranslationTarget,
  { body, cacheMarker, media }: TranslatableRequest,
): OrError<TranslatedRequest> {
  const request = from.toInference(body, target.modelId);
  if (request instanceof GatewayError) return request;
  if (cacheMarker && 'messages' in request) withCacheMarkers(request, cacheMarker);
  const unfetched = 'messages' in request ? inlineMedia(request, to, target, media) : undefined;
  if (unfetched) return unfetched;
  const maxInputs = to.maxInputs?.(target.modelId);
  if (maxInputs === undefined || !('inputs' in request) || request.inputs.length <= maxInputs) {
    return to.toRequest(request, target);
  }
  return splitRequest(request, maxInputs, to, target);
}

function splitRequest(
  request: EmbeddingRequest,
  maxInputs: number,
  to: Translation,
  target: TranslationTarget,
): OrError<TranslatedRequest> {
  const { inputs } = request;
  if (inputs.length > MAX_SPLIT_INPUTS) {
    const detail = `\`input\` has ${inputs.length} entries; allowed are up to ${MAX_SPLIT_INPUTS}.`;
    return new GatewayError('invalid_parameter', { param: 'input', detail });
  }
  const bodies: Buffer[] = [];
  let headers: readonly string[] = [];
  for (let from = 0; from < inputs.length; from += maxInputs) {
    const made = to.toRequest({ ...request, inputs: inputs.slice(from, from + maxInputs) }, target);
    if (made instanceof GatewayError) return made;
    bodies.push(made.body);
    ({ headers } = made);
  }
  const [body, ...more] = bodies;
  return { body: body!, headers, more, partInputs: maxInputs };
}

/** The same, away from the event loop. */
export type HeavyTranslator = (
  dialect: Dialect,
  wire: Wire,
  target: TranslationTarget,
  asked: TranslatableRequest,
  signal: AbortSignal,
) => Promise<OrError<TranslatedRequest>>;

export interface TranslateInput {
  readonly dialect: string;
  readonly wire: string;
  readonly target: TranslationTarget;
  readonly body: Uint8Array;
  readonly cacheMarker: CacheMarker | undefined;
  readonly media: FetchedMedia | undefined;
}

/** An error crosses as what it is made of. */
export type TranslateOutput =
  | {
      readonly body: Uint8Array;
      readonly headers: readonly string[];
      readonly path?: string | undefined;
      readonly more?: readonly Uint8Array[] | undefined;
      readonly partInputs?: number | undefined;
    }
  | { readonly code: ErrorCode; readonly context: ErrorContext };

export const translateRequestTask: Task<TranslateInput, TranslateOutput> = { name: 'translate-request' };
