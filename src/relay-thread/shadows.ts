import type { ShadowSettings } from '../config/rules/routing-settings.ts';
import { GatewayError } from '../core/errors.ts';
import type { Exchange, Principal } from '../core/exchange.ts';
import { type AnswerReceiver, LocalExchange } from '../core/local-exchange.ts';
import type { Dialect, RequestScan } from '../dialects/dialect.ts';
import { runInference } from '../pipeline/pipeline.ts';
import type { PipelineOptions } from '../pipeline/pipeline-options.ts';

/** The caller of copies that nobody pays for: limits, budgets and access may name it as anybody else. */
const SHADOW: Principal = {
  subject: 'virtualaccount:sluice-shadow',
  keyId: 'shadow',
  teams: [],
  models: undefined,
  metadata: {},
};
/** A larger request is not copied. */
const MAX_BODY_BYTES = 1_048_576;

/**
 * Copies of requests, sent to a second target after the first was asked. Their answers are read and dropped; each has a row
 * in the ledger, whose `request_id` is the exchange that was copied. Nobody waits for a copy: none is made where as many run
 * as may, or where the body is large or not whole.
 */
export class Shadows {
  readonly #pipeline: () => PipelineOptions;
  readonly #open = new Set<LocalExchange>();
  #closed = false;

  constructor(pipeline: () => PipelineOptions) {
    this.#pipeline = pipeline;
  }

  readonly copy = (exchange: Exchange, dialect: Dialect, shadow: ShadowSettings): void => {
    const { body, path, method, arriving, spooled, headers, principal } = exchange;
    if (this.#closed || Math.random() * 100 >= shadow.sharePercent || this.#open.size >= shadow.maxConcurrent) return;
    const isWhole = arriving === undefined && spooled === undefined && method === 'POST' && !path.includes('{');
    if (!isWhole || body.length === 0 || body.length > MAX_BODY_BYTES) return;
    const metadata = headers.tfy?.['x-tfy-metadata'];
    const asked = {
      path,
      principal: shadow.chargesCaller ? principal : SHADOW,
      // The first exchange lets its memory go.
      body: Buffer.from(body),
      requestId: exchange.id,
      headers: {
        tfy: metadata === undefined ? undefined : { 'x-tfy-metadata': metadata },
        forwardable: headers.forwardable,
      },
    };
    // In a turn of its own: the first is not kept waiting.
    setImmediate(() => this.#run(asked, dialect, shadow.target));
  };

  /** Nothing is copied any more, and what runs ends. */
  close(): void {
    this.#closed = true;
    for (const each of this.#open) each.abort('drain');
  }

  #run(asked: Omit<ConstructorParameters<typeof LocalExchange>[0], 'scan'>, dialect: Dialect, target: string): void {
    if (this.#closed) return;
    const receiver: AnswerReceiver = {
      take: () => true,
      over: () => void this.#open.delete(local),
    };
    const local = new LocalExchange({ ...asked, scan: (request) => dialect.scan(request) }, receiver);
    const peeked = (local.scan as RequestScan).result(local.body);
    // It was understood once.
    if (peeked instanceof GatewayError) return;
    peeked.model = target;
    this.#open.add(local);
    runInference(local, dialect, this.#pipeline(), { peeked });
  }
}
