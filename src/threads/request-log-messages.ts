import type { Configuration } from '../config/configuration.ts';
import type { Redaction } from '../config/rules/request-log-rules.ts';
import type { RequestBodiesRow } from '../store/request-bodies.ts';
import type { ExchangeRecord } from '../telemetry/exchange-record.ts';

/** The body of a request or an answer, as far as it was kept. */
export interface CapturedBody {
  readonly contentType: string | undefined;
  /** All that there were. */
  readonly bytes: number;
  /** The first of them; undefined: none was in memory. */
  readonly start: Uint8Array<ArrayBuffer> | undefined;
}

/** A text of an answer that may not be kept, and what is kept in its place. */
export type HiddenText = readonly [text: string, instead: string];

/** One exchange whose bodies are to be kept, before anything is blacked out of them. */
export interface CapturedExchange {
  readonly id: string;
  readonly subject: string;
  readonly project: string | undefined;
  /** Milliseconds since the Unix epoch. */
  readonly expiresAt: number;
  /** The redactions of rules about who asked; those of the server are applied besides. */
  readonly redact: readonly Redaction[];
  /** What guards put back into the answer for its client alone. */
  readonly hidden: readonly HiddenText[];
  readonly status: number;
  readonly request: CapturedBody;
  readonly response: CapturedBody;
  /** The record that webhooks get; undefined: there is none, or it was refused before it was sent. */
  readonly record: ExchangeRecord | undefined;
}

/** A relay thread sends what it captured. The buffers are transferred. */
export interface CapturedMessage {
  readonly type: 'request-log';
  readonly thread: number;
  readonly exchanges: readonly CapturedExchange[];
  /** Held by the thread until it is told that they were taken. */
  readonly bytes: number;
  /** Exchanges that found no room since the message before. */
  readonly dropped: number;
}

/** To the relay thread: so many bytes wait no more. */
export interface CapturedTaken {
  readonly type: 'request-log-taken';
  readonly bytes: number;
}

/** What the thread of the request log needs of a configuration. */
export type RequestLogConfiguration = Pick<Configuration, 'requestLoggers' | 'server'>;

export type ToRequestLogThread =
  /** The first message, and another for each configuration that is in force from then on. */
  | { readonly type: 'configure'; readonly configuration: RequestLogConfiguration }
  | CapturedMessage
  /** What became of `keep`. */
  | { readonly type: 'kept'; readonly number: number; readonly isKept: boolean }
  | { readonly type: 'close'; readonly withinMs: number };

export interface RequestLogCounts {
  readonly kept: number;
  /** The database did not take them. */
  readonly failed: number;
  readonly delivered: number;
  readonly undelivered: number;
  /** Exchanges that found no room in the queue of a webhook. */
  readonly 'hooks-dropped': number;
}

export type FromRequestLogThread =
  /** The database is to keep rows, and answers with `kept`. The buffers are transferred. */
  | { readonly type: 'keep'; readonly number: number; readonly rows: readonly RequestBodiesRow[] }
  | { readonly type: 'taken'; readonly thread: number; readonly bytes: number }
  | { readonly type: 'counts'; readonly counts: RequestLogCounts }
  | {
      readonly type: 'log';
      readonly level: 'debug' | 'info' | 'warn' | 'error';
      readonly fields: Record<string, unknown>;
      readonly message: string;
    }
  | { readonly type: 'closed'; readonly counts: RequestLogCounts };
