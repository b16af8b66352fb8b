import { PeekKeys } from '../../codec/peek-keys.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { PeekedRequest, RequestScan } from '../dialect.ts';
import { JsonRequestScan, type NamedModel } from '../openai-json/request-scan.ts';

/** Every top-level key that the gateway itself reads: repeated or escaped, it is refused. */
const keys = new PeekKeys(['model', 'messages', 'stream', 'max_tokens', 'service_tier', 'speed', 'inference_geo']);
const MODEL = 0;
const MESSAGES = 1;
const STREAM = 2;
const MAX_TOKENS = 3;
const SERVED_TERMS = [
  ['serviceTier', 4],
  ['speed', 5],
  ['inferenceGeo', 6],
] as const;

/** The offsets are for `splice`. */
export interface PeekedMessages extends PeekedRequest, NamedModel {
  readonly model: string;
  /** Where the array `messages` stands. */
  readonly messagesStart: number;
  readonly messagesEnd: number;
}

/** Reads a request as its bytes arrive; `result` once all are there. */
export class MessagesScan extends JsonRequestScan implements RequestScan {
  constructor() {
    super(keys);
  }

  result(body: Buffer): OrError<PeekedMessages> {
    const named = this.fault() ?? this.model(body, MODEL);
    if (named instanceof GatewayError) return named;
    const { starts, ends } = this;
    const unlisted = this.notArray(body, MESSAGES);
    if (unlisted) return unlisted;
    const stream = this.flag(body, STREAM);
    if (stream instanceof GatewayError) return stream;
    const maxOutputTokens = this.count(body, MAX_TOKENS);
    if (maxOutputTokens instanceof GatewayError) return maxOutputTokens;
    return {
      model: named.model,
      modelStart: named.modelStart,
      modelEnd: named.modelEnd,
      stream,
      // Every stream of this form tells its usage.
      includeUsage: true,
      messagesStart: starts[MESSAGES]!,
      messagesEnd: ends[MESSAGES]!,
      maxOutputTokens,
      choices: 1,
      servedAs: this.servedAs(body, SERVED_TERMS),
    };
  }
}
