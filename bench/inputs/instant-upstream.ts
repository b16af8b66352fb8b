import type { Dispatcher } from 'undici';
import type { Limits, Timeouts } from '../../src/config/configuration.ts';
import type { AttemptControl, LocalResponder } from '../../src/providers/provider.ts';
import { OriginPool } from '../../src/upstream/origin-pool.ts';
import { OriginPools } from '../../src/upstream/origin-pools.ts';

/** A provider's answer, as it comes off the wire. */
export interface CannedAnswer {
  readonly headers: Record<string, string>;
  readonly chunks: readonly Buffer[];
}

/** What the provider was sent last. */
export interface Sent {
  path: string;
  headers: readonly string[];
  body: Buffer;
}

const NO_CONTROL: AttemptControl = { pause: () => undefined, resume: () => undefined, abort: () => undefined };

/** Answers from inside the process, within the call. */
export function instantResponder(answer: CannedAnswer, sent: Sent): LocalResponder {
  return ({ path, body }, handler) => {
    sent.path = path;
    sent.body = body;
    handler.started(200, answer.headers);
    for (const chunk of answer.chunks) handler.chunk(chunk);
    handler.ended();
    return NO_CONTROL;
  };
}

/** In the place of undici: drives the callbacks of an attempt in undici's order, within the call. */
export class InstantPools extends OriginPools {
  readonly #pool: OriginPool;

  constructor(limits: Limits, timeouts: Timeouts, answer: CannedAnswer, sent: Sent) {
    super(limits, timeouts);
    const dispatch = (options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean => {
      sent.path = options.path;
      sent.headers = options.headers as string[];
      sent.body = options.body as Buffer;
      handler.onRequestStart?.(CONTROLLER, undefined);
      handler.onResponseStart?.(CONTROLLER, 200, answer.headers);
      for (const chunk of answer.chunks) handler.onResponseData?.(CONTROLLER, chunk);
      handler.onResponseEnd?.(CONTROLLER, {});
      return true;
    };
    // Of a pool an attempt uses nothing but `dispatch`.
    this.#pool = new OriginPool({ dispatch } as unknown as OriginPool['pool'], 1_000, 0);
  }

  override get(): OriginPool {
    return this.#pool;
  }
}

const CONTROLLER = {
  ...NO_CONTROL,
  aborted: false,
  paused: false,
  reason: null,
  rawHeaders: null,
  rawTrailers: null,
} as unknown as Dispatcher.DispatchController;
