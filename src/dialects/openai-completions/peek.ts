import { PeekKeys } from '../../codec/peek-keys.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { PeekedRequest, RequestScan } from '../dialect.ts';
import { JsonRequestScan, missing } from '../openai-json/request-scan.ts';
import type { StreamedPlaces } from '../openai-json/streamed-edits.ts';

const keys = new PeekKeys(['model', 'prompt', 'stream', 'stream_options', 'max_tokens', 'n', 'best_of']);
const MODEL = 0;
const PROMPT = 1;
const STREAM = 2;
const STREAM_OPTIONS = 3;
const MAX_TOKENS = 4;
const CHOICES = 5;
const BEST_OF = 6;

export type PeekedCompletion = PeekedRequest & StreamedPlaces;

/** Reads a request for a completion as its bytes arrive; `result` once all are there. */
export class CompletionScan extends JsonRequestScan implements RequestScan {
  constructor() {
    super(keys);
  }

  result(body: Buffer): OrError<PeekedCompletion> {
    const named = this.fault() ?? this.model(body, MODEL);
    if (named instanceof GatewayError) return named;
    if (this.starts[PROMPT]! < 0) return missing('prompt');
    const stream = this.flag(body, STREAM);
    if (stream instanceof GatewayError) return stream;
    const includeUsage = this.includeUsage(body, STREAM_OPTIONS);
    if (includeUsage instanceof GatewayError) return includeUsage;
    const maxOutputTokens = this.count(body, MAX_TOKENS);
    if (maxOutputTokens instanceof GatewayError) return maxOutputTokens;
    const choices = this.count(body, CHOICES);
    if (choices instanceof GatewayError) return choices;
    const bestOf = this.count(body, BEST_OF);
    if (bestOf instanceof GatewayError) return bestOf;
    return {
      ...named,
      stream,
      includeUsage,
      maxOutputTokens,
      // All of `best_of` are generated and billed; a stream has none of them, so it has as many choices as `n`.
      choices: Math.max(1, choices ?? 1, stream ? 1 : (bestOf ?? 1)),
      streamOptionsStart: this.starts[STREAM_OPTIONS]!,
      streamOptionsEnd: this.ends[STREAM_OPTIONS]!,
    };
  }
}
