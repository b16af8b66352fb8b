import type { Configuration } from '../config/configuration.ts';

/** What the thread that exports by OTLP needs of a configuration. */
export type OtelConfiguration = Pick<Configuration, 'otel' | 'server'>;

export type ToOtelThread =
  /** The first message, and another for each configuration that is in force from then on. */
  | { readonly type: 'configure'; readonly configuration: OtelConfiguration }
  | { readonly type: 'records'; readonly frames: readonly Uint8Array<ArrayBuffer>[] }
  /** As GET /metrics shows them. */
  | { readonly type: 'metrics'; readonly text: string }
  | { readonly type: 'close'; readonly withinMs: number };

export interface OtelCounts {
  readonly accepted: number;
  readonly unsampled: number;
  readonly exported: number;
  readonly refused: number;
  readonly failed: number;
  readonly 'queue-full': number;
}

export type FromOtelThread =
  /** Messages with records that were taken so far, and what became of all spans. */
  | { readonly type: 'state'; readonly taken: number; readonly counts: OtelCounts }
  | {
      readonly type: 'log';
      readonly level: 'debug' | 'info' | 'warn' | 'error';
      readonly fields: Record<string, unknown>;
      readonly message: string;
    }
  | { readonly type: 'closed'; readonly counts: OtelCounts };
