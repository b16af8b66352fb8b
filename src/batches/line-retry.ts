import type { CollectedAnswer } from './collected-answer.ts';

/** Max wait that is kept to where a provider names one: whoever asks for more is asked again then. */
const MAX_TOLD_MS = 3_600_000;
const MAX_DELAY_MS = 60_000;
const FIRST_DELAY_MS = 500;
/** It may pass by itself. */
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504, 529]);
/** What stands until somebody pays, a period ends or something else is asked. */
const LASTING = new Set(['budget_exceeded', 'insufficient_quota', 'billing_hard_limit_reached', 'upstream_too_large']);

export interface Retry {
  readonly delayMs: number;
  /** Provider or gateway said how long: all lines for that model keep to it. */
  readonly isTold: boolean;
  /** Whether the attempt counts towards `batches.max_attempts`. One that a busy provider refused does not. */
  readonly counts: boolean;
}

/** Undefined: the answer stands. `tries`: how often the line was sent, and such tries `counted` so far. */
export function retryOf(
  { status, headers, error }: CollectedAnswer,
  tries: number,
  counted: number,
  maxAttempts: number,
  now = Date.now(),
): Retry | undefined {
  if (error === undefined && status < 400) return undefined;
  const failed = error?.status ?? status;
  if (!PASSING.has(failed)) return undefined;
  if (
    error &&
    [error.code, error.context.upstreamCode, error.context.upstreamType].some((code) => LASTING.has(code ?? ''))
  )
    return undefined;
  const counts = failed !== 429 && failed !== 529 && !(error !== undefined && isOurs(error.code));
  if (counts && counted + 1 >= maxAttempts) return undefined;
  const toldMs = retryAfterMs(headers, now) ?? error?.context.retryAfterMs;
  const delayMs = toldMs ?? FIRST_DELAY_MS * 2 ** Math.min(tries, 10) * (0.5 + Math.random() / 2);
  const maxMs = toldMs === undefined ? MAX_DELAY_MS : MAX_TOLD_MS;
  return { delayMs: Math.min(maxMs, Math.max(1, delayMs)), isTold: toldMs !== undefined, counts };
}

/** The gateway has no room at the moment. */
function isOurs(code: string): boolean {
  return ['overloaded', 'body_memory_full', 'draining', 'counters_away', 'ledger_full'].includes(code);
}

/** RFC 9110 §10.2.3, and the header in milliseconds that OpenAI's SDKs read. */
function retryAfterMs(headers: readonly string[], now: number): number | undefined {
  const told = headerOf(headers, 'retry-after-ms');
  if (told !== undefined && /^\d{1,9}(\.\d+)?$/.test(told)) return Number(told);
  const seconds = headerOf(headers, 'retry-after');
  if (seconds === undefined) return undefined;
  if (/^\d{1,6}(\.\d+)?$/.test(seconds)) return Number(seconds) * 1000;
  const at = Date.parse(seconds);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}

function headerOf(headers: readonly string[], name: string): string | undefined {
  for (let at = 0; at + 1 < headers.length; at += 2) if (headers[at] === name) return headers[at + 1];
  return undefined;
}
