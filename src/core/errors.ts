import { ANSWER_ERRORS } from './answer-errors.ts';
import { EDGE_ERRORS } from './edge-errors.ts';
import type { ErrorRule } from './error-rule.ts';
import { OPERATOR_ERRORS } from './operator-errors.ts';
import { POLICY_ERRORS } from './policy-errors.ts';
import { REQUEST_ERRORS } from './request-errors.ts';

/**
 * One class, one table. A code is looked up in ERRORS for everything that follows from it: the status a client sees,
 * who is to blame, whether another attempt may help, how loud it is in the log, and what to do about it.
 * docs/errors.md is generated from it. GatewayError is a value: it carries no stack and is cheap to make.
 */
export const ERRORS = {
  ...EDGE_ERRORS,
  ...REQUEST_ERRORS,
  ...POLICY_ERRORS,
  ...ANSWER_ERRORS,
  ...OPERATOR_ERRORS,
} as const satisfies Record<string, ErrorRule>;

export type ErrorCode = keyof typeof ERRORS;

export interface ErrorContext {
  /** What exactly was wrong: added to the table's message. Must not hold a secret. */
  detail?: string;
  /** The request parameter or header at fault. */
  param?: string;
  /** The configuration key or request header whose value caused it, with that value. */
  setting?: string;
  /** `account/model`. */
  target?: string;
  /** The status to show where the table's own does not decide (a provider's verdict that passes). */
  status?: number;
  /** A provider's own error type and code, which pass with its verdict. */
  upstreamType?: string;
  upstreamCode?: string;
  /** The status that the provider refused our credential with. */
  upstreamStatus?: number;
  /** What log and receipt say and the client never sees: a provider's words on our credential, without its secrets. */
  operatorDetail?: string;
  /** Milliseconds or undefined; becomes `retryHeaders` on our own refusals. */
  retryAfterMs?: number;
  /** Flat name-value pairs for our own refusal, as `x-ratelimit-…`. */
  headers?: readonly string[];
  /** As in `x-tfy-applied-rules`, for the record: which rules applied, and which one refused. */
  rulesJson?: string;
  /** Addresses of files that the request names, and that have to be fetched first. For the relay, never for the client. */
  wanted?: readonly string[];
  /** `detail` or `operatorDetail` holds what a provider said, which may quote the request. */
  providerWords?: true;
  /** What stands beside `error` in its body, in the forms of OpenAI: what guardrails found, never what they read. */
  beside?: Readonly<Record<string, unknown>>;
  /** The id of the JSON-RPC request that this error answers. */
  rpcId?: string | number;
  /** Its record was made where it came up: nobody makes another. */
  isRecorded?: true;
  /** What was thrown; for the log only. */
  cause?: unknown;
}

/** `log.provider_words`: what a provider says of a failure may quote the request. */
export type ProviderWords = 'keep' | 'leave-out';

export class GatewayError {
  readonly code: ErrorCode;
  readonly context: ErrorContext;

  constructor(code: ErrorCode, context: ErrorContext = {}) {
    this.code = code;
    this.context = context;
  }

  get rule(): ErrorRule {
    return ERRORS[this.code];
  }

  get status(): number {
    return this.context.status ?? ERRORS[this.code].status;
  }

  /** What log and ledger keep beside the code. */
  recordedDetail(words: ProviderWords): string | undefined {
    const { operatorDetail, detail, setting, providerWords, upstreamStatus } = this.context;
    if (!providerWords || words === 'keep') return operatorDetail ?? detail ?? setting;
    return upstreamStatus === undefined ? undefined : `The provider answered ${upstreamStatus}.`;
  }

  /** One sentence or three: what, exactly what, which setting. */
  get message(): string {
    const { detail, setting } = this.context;
    if (this.code === 'upstream_rejected' && detail) return detail;
    let text: string = ERRORS[this.code].message;
    if (detail) text += ` ${asSentence(detail)}`;
    if (setting) text += ` (${setting})`;
    return text;
  }
}

const SENTENCE_END = /[.!?…。][)\]"'`”’»]*$/;

/** With a full stop, since the remedy follows: words of providers and guards often lack one. */
function asSentence(words: string): string {
  const text = words.trimEnd();
  return text === '' || SENTENCE_END.test(text) ? text : `${text}.`;
}

/** A client that waits by itself waits so long at the most: behind it a person should hear of the refusal first. */
const MAX_CLIENT_WAIT_MS = 60_000;
const NONE: readonly string[] = [];

/**
 * Name-value pairs of our own refusals: when to try again in seconds, rounded up, and in milliseconds; and whether to.
 * The SDKs of OpenAI and Anthropic obey the latter two: on a spent budget they would else sleep until next month. `given`:
 * headers of the provider's that the refusal has already; they stand.
 */
export function retryHeaders(
  { context: { retryAfterMs } }: GatewayError,
  given: readonly string[] = NONE,
): readonly string[] {
  if (retryAfterMs === undefined || given.includes('retry-after')) return NONE;
  const ms = Math.max(1, Math.ceil(retryAfterMs));
  const when = ['retry-after', String(Math.ceil(ms / 1000)), 'retry-after-ms', String(ms)];
  return given.includes('x-should-retry') ? when : [...when, 'x-should-retry', String(ms <= MAX_CLIENT_WAIT_MS)];
}
