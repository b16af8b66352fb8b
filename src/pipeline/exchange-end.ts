import type { CacheUse } from '../cache/cache-use.ts';
import type { GatewayError } from '../core/errors.ts';
import type { GuardSession } from '../guardrails/session.ts';
import type { Admission } from '../limits/admission.ts';
import type { RelayResult } from '../relay/relay.ts';
import type { Capture } from '../request-log/capture.ts';
import { settle } from '../settlement/settlement.ts';
import type { ExchangeRecord } from '../telemetry/exchange-record.ts';
import type { RefusedRequest } from './pipeline-options.ts';
import { refuse } from './refusal.ts';
import type { RequestContext } from './request-context.ts';

/** What the stages of one exchange leave behind. */
interface StagesEnd {
  /** Settled for all that was held. */
  readonly admission: Admission;
  readonly cacheUse: CacheUse | undefined;
  readonly guard: GuardSession | undefined;
  readonly capture: Capture | undefined;
  /** When the answer ended, where the record waited for guards; undefined: it did not. */
  readonly closedAt: number | undefined;
}

/** Where its bodies are to be kept; undefined: nothing of them is. */
export function beginCapture(request: RequestContext): Capture | undefined {
  const { bodies } = request.snapshot;
  if (bodies === undefined) return undefined;
  const { exchange, caller, subject, metadata, client, options } = request;
  const plan = bodies.planOf({ caller, subject, metadata, wish: client.logging });
  const capture = plan && options.requestLog?.begin(exchange, plan);
  // What guards have not read is not kept: what they would take out of it may stand there.
  if (mayBeGuarded(request)) capture?.withholdRequest();
  return capture;
}

/** The request is kept as guards let it through. */
export function captureGuarded(request: RequestContext, capture: Capture | undefined): void {
  if (mayBeGuarded(request)) capture?.keepRequest();
}

function mayBeGuarded({ snapshot, dialect }: RequestContext): boolean {
  return snapshot.guardrails !== undefined && dialect.guarded !== undefined;
}

/** An exchange that got past the limits: its reservation is settled, its record handed over. */
export function settleExchange(request: RequestContext, result: RelayResult, end: StagesEnd): void {
  const { exchange, dialect, peeked, caller } = request;
  const { thread, log, estimate, record, provisional } = request.options;
  const { settings, price } = request.snapshot;
  const { admission, cacheUse, guard, capture, closedAt } = end;
  if (capture && guard) capture.hidden = guard.pseudonyms.values;
  settle(result, {
    thread,
    log,
    exchange,
    form: dialect,
    model: request.model,
    stream: peeked.stream,
    servedAs: peeked.servedAs,
    choices: peeked.choices,
    counted: peeked.counted,
    free: cacheUse?.isHit ? true : peeked.free,
    cacheJson: cacheUse?.json,
    price,
    estimate,
    record: capture === undefined ? record : recordWithBodies(request, capture),
    provisional,
    admission,
    teamsJson: caller.teamsJson,
    metadataJson: request.metadataJson,
    guardrailsJson: guard?.json,
    closedAt,
    providerWords: settings.log.providerWords,
  });
  // Whatever happened: its place in flight is not lost.
  exchange.finish();
}

/** An exchange that reached nobody. */
export function refuseExchange(
  { exchange, options }: RequestContext,
  capture: Capture | undefined,
  error: GatewayError,
  known: RefusedRequest,
): void {
  refuse(exchange, error, known, options);
  if (capture) options.requestLog?.end(exchange, capture, undefined);
}

/** The record, with the bodies where they are kept. */
function recordWithBodies({ options, exchange }: RequestContext, capture: Capture): (record: ExchangeRecord) => void {
  return (record) => {
    options.record(record);
    options.requestLog?.end(exchange, capture, record);
  };
}
