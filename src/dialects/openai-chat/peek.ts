import { PeekKeys } from '../../codec/peek-keys.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { PeekedRequest, RequestScan } from '../dialect.ts';
import { JsonRequestScan } from '../openai-json/request-scan.ts';
import type { StreamedPlaces } from '../openai-json/streamed-edits.ts';

/** Every top-level key that the gateway itself reads: repeated or escaped, it is refused. */
const keys = new PeekKeys([
  'model',
  'messages',
  'stream',
  'stream_options',
  'max_tokens',
  'max_completion_tokens',
  'n',
  'service_tier',
  'speed',
  'inference_geo',
  'prompt_cache_key',
]);
const MODEL = 0;
const MESSAGES = 1;
const STREAM = 2;
const STREAM_OPTIONS = 3;
const MAX_TOKENS = 4;
const MAX_COMPLETION_TOKENS = 5;
const CHOICES = 6;
const PROMPT_CACHE_KEY = 10;
const SERVED_TERMS = [
  ['serviceTier', 7],
  ['speed', 8],
  ['inferenceGeo', 9],
] as const;

/** What a chat request says beyond what every request does; the offsets are for `splice`. */
export interface PeekedChat extends PeekedRequest, StreamedPlaces {
  /** Where the array `messages` stands. */
  messagesStart: number;
  messagesEnd: number;
}

/** Reads a chat request as its bytes arrive; `result` once all are there. */
export class ChatScan extends JsonRequestScan implements RequestScan {
  constructor() {
    super(keys);
  }

  result(body: Buffer): OrError<PeekedChat> {
    const named = this.fault() ?? this.model(body, MODEL);
    if (named instanceof GatewayError) return named;
    const { starts, ends } = this;
    const unlisted = this.notArray(body, MESSAGES);
    if (unlisted) return unlisted;
    const stream = this.flag(body, STREAM);
    if (stream instanceof GatewayError) return stream;
    const includeUsage = this.includeUsage(body, STREAM_OPTIONS);
    if (includeUsage instanceof GatewayError) return includeUsage;

    const older = this.count(body, MAX_TOKENS);
    if (older instanceof GatewayError) return older;
    const newer = this.count(body, MAX_COMPLETION_TOKENS);
    if (newer instanceof GatewayError) return newer;
    const choices = this.count(body, CHOICES);
    if (choices instanceof GatewayError) return choices;
    // Which of the two a provider goes by is its own affair: no limit may be passed by the smaller one.
    const maxOutputTokens = older !== undefined && newer !== undefined ? Math.max(older, newer) : (newer ?? older);
    return {
      model: named.model,
      modelStart: named.modelStart,
      modelEnd: named.modelEnd,
      stream,
      includeUsage,
      messagesStart: starts[MESSAGES]!,
      messagesEnd: ends[MESSAGES]!,
      streamOptionsStart: starts[STREAM_OPTIONS]!,
      streamOptionsEnd: ends[STREAM_OPTIONS]!,
      maxOutputTokens,
      choices: Math.max(1, choices ?? 1),
      servedAs: this.servedAs(body, SERVED_TERMS),
      metadata: this.cacheKey(body, PROMPT_CACHE_KEY),
    };
  }
}
