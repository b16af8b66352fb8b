import { type ErrorCode, type ErrorContext, GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import type { Dialect, DialectTranslation } from '../dialects/dialect.ts';
import { type CacheMarker, withCacheMarkers } from '../inference/cache-marker.ts';
import type { Task } from '../offload/tasks.ts';
import type { Translation, TranslationTarget, Wire } from '../providers/provider.ts';

export interface TranslatedRequest {
  readonly body: Buffer;
  /** What this request needs beyond the target's headers. */
  readonly headers: readonly string[];
}

/** What a client asks for, in its own form. */
export interface TranslatableRequest {
  readonly body: Buffer;
  readonly cacheMarker: CacheMarker | undefined;
}

/** Parsed and rewritten, about 10 ms for a megabyte of many small values. */
export function translateRequest(
  from: DialectTranslation,
  to: Translation,
  target: TranslationTarget,
  { body, cacheMarker }: TranslatableRequest,
): OrError<TranslatedRequest> {
  const request = from.toInference(body, target.modelId);
  if (request instanceof GatewayError) return request;
  const isChat = 'messages' in request;
  return to.toRequest(cacheMarker && isChat ? withCacheMarkers(request, cacheMarker) : request, target);
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
}

/** An error crosses as what it is made of. */
export type TranslateOutput =
  | { readonly body: Uint8Array; readonly headers: readonly string[] }
  | { readonly code: ErrorCode; readonly context: ErrorContext };

export const translateRequestTask: Task<TranslateInput, TranslateOutput> = { name: 'translate-request' };
