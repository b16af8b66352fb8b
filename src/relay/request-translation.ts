import { type ErrorCode, type ErrorContext, GatewayError } from '../core/errors.ts';
import type { OrError, SpooledBody, UploadSource } from '../core/exchange.ts';
import type { Dialect, DialectTranslation } from '../dialects/dialect.ts';
import { type CacheMarker, withCacheMarkers } from '../inference/cache-marker.ts';
import type { BodyStretch } from '../inference/form-part.ts';
import type { NeutralRequest } from '../inference/neutral-request.ts';
import type { Task } from '../offload/tasks.ts';
import type { MadeRequest, Translation, TranslationTarget, Wire } from '../providers/provider.ts';

import { type FetchedMedia, inlineMedia } from './media-by-address.ts';

export interface TranslatedRequest extends Omit<MadeRequest, 'body'> {
  readonly body: Buffer | Buffer[] | UploadSource;
  /** Bodies of further requests, in order, where the client asks for more than the provider takes at once. */
  readonly more?: readonly (Buffer | Buffer[] | UploadSource)[] | undefined;
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
/** As OpenAI: https://platform.openai.com/docs/api-reference/images/create */
const MAX_IMAGES = 10;

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
  const unfetched = inlineMedia(request, to, target, media);
  if (unfetched) return unfetched;
  return toProvider(request, to, target, body);
}

/** The neutral request in the provider's form; `body`: the client's, of which stretches may be sent; on the disk it is whole. */
export function toProvider(
  request: NeutralRequest,
  to: Translation,
  target: TranslationTarget,
  body: Buffer | SpooledBody,
): OrError<TranslatedRequest> {
  const maxInputs = to.maxInputs?.(target.modelId);
  const parts = maxInputs === undefined ? [request] : partsOf(request, maxInputs);
  if (parts instanceof GatewayError) return parts;
  const bodies: (Buffer | Buffer[] | UploadSource)[] = [];
  let last: MadeRequest | undefined;
  for (const part of parts) {
    const made = to.toRequest(part, target);
    if (made instanceof GatewayError) return made;
    bodies.push(sentBody(made.body, body));
    last = made;
  }
  const { headers, path } = last!;
  const [first, ...more] = bodies;
  if (more.length === 0) return { body: first!, headers, path };
  return { body: first!, headers, path, more, partInputs: maxInputs };
}

/** As several, where it asks for more than the provider takes at once. */
function partsOf(request: NeutralRequest, maxInputs: number): OrError<readonly NeutralRequest[]> {
  if ('inputs' in request) {
    const { inputs } = request;
    if (inputs.length <= maxInputs) return [request];
    if (inputs.length > MAX_SPLIT_INPUTS) {
      const detail = `\`input\` has ${inputs.length} entries; allowed are up to ${MAX_SPLIT_INPUTS}.`;
      return new GatewayError('invalid_parameter', { param: 'input', detail });
    }
    return partSizes(inputs.length, maxInputs).map((size, index) => ({
      ...request,
      inputs: inputs.slice(index * maxInputs, index * maxInputs + size),
    }));
  }
  if (!('sources' in request)) return [request];
  if (request.images > MAX_IMAGES) {
    return new GatewayError('invalid_parameter', { param: 'n', detail: `\`n\` may be up to ${MAX_IMAGES}.` });
  }
  return partSizes(request.images, maxInputs).map((images) => ({ ...request, images }));
}

function partSizes(all: number, most: number): number[] {
  return Array.from({ length: Math.ceil(all / most) }, (_, index) => Math.min(most, all - index * most));
}

function sentBody(made: MadeRequest['body'], body: Buffer | SpooledBody): Buffer | Buffer[] | UploadSource {
  if (Buffer.isBuffer(made)) return made;
  return Buffer.isBuffer(body) ? made.map((piece) => bytesOf(piece, body)) : body.source(made);
}

function bytesOf(piece: Buffer | BodyStretch, body: Buffer): Buffer {
  if (Buffer.isBuffer(piece)) return piece;
  const { start, end, base64 } = piece;
  return base64 ? Buffer.from(body.toString('base64', start, end), 'latin1') : body.subarray(start, end);
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
