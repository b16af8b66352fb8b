import { GatewayError } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import { continueTrace } from '../core/trace-context.ts';
import type { Dialect, PeekedRequest, RequestScan } from '../dialects/dialect.ts';
import { clientSettings } from '../policy/client-settings.ts';
import type { AnswerFilterMaker } from '../relay/answer-filter.ts';
import type { Route } from '../routing/route-plan.ts';
import { Inference } from './inference.ts';
import type { PipelineOptions, Snapshot } from './pipeline-options.ts';
import { NOTHING_KNOWN, refuse } from './refusal.ts';
import { NO_FILTERS } from './request-context.ts';

/** The facts of a request beside its exchange, where it was read before. */
export interface GivenRequest {
  /** What was peeked of the body as it is now. */
  readonly peeked: PeekedRequest;
  /** They see the answer last, as its client gets it. Default: none. */
  readonly filters?: readonly AnswerFilterMaker[];
  /** Where it goes, whatever its model says. Default: as its model resolves. */
  readonly route?: Route;
}

/** Stages 2 to 8 of an inference request, in order: dialect, policy, routing, provider, upstream, relay, usage. */
export function runInference(
  exchange: Exchange,
  dialect: Dialect,
  options: PipelineOptions,
  given?: GivenRequest,
): void {
  const snapshot = options.snapshot();
  if (snapshot.exportsTraces) continueTrace(exchange.headers, exchange.id);
  const full = options.refusal();
  if (full) {
    refuse(exchange, full, NOTHING_KNOWN, options);
    return;
  }
  const peeked = given?.peeked ?? (exchange.scan as RequestScan).result(exchange.body);
  exchange.scan = undefined;
  if (peeked instanceof GatewayError) {
    refuse(exchange, peeked, NOTHING_KNOWN, options);
    return;
  }
  const foreign = given === undefined && snapshot.settings.responses.keep ? heldElsewhere(peeked) : undefined;
  if (foreign) {
    refuse(exchange, foreign, NOTHING_KNOWN, options);
    return;
  }
  admitted(exchange, dialect, options, snapshot, peeked, given);
}

/** What was begun while its body still comes. */
export interface BegunInference {
  /** The body does not come whole. */
  breakOff(error: GatewayError): void;
}

/** A request that was understood, though not all of its body may be there. Undefined: it was refused. */
export function admitUpload(
  exchange: Exchange,
  dialect: Dialect,
  options: PipelineOptions,
  peeked: PeekedRequest,
): BegunInference | undefined {
  const snapshot = options.snapshot();
  if (snapshot.exportsTraces) continueTrace(exchange.headers, exchange.id);
  return admitted(exchange, dialect, options, snapshot, peeked);
}

function admitted(
  exchange: Exchange,
  dialect: Dialect,
  options: PipelineOptions,
  snapshot: Snapshot,
  peeked: PeekedRequest,
  given?: GivenRequest,
): BegunInference | undefined {
  const client = clientSettings(exchange.headers);
  if (client instanceof GatewayError) {
    refuse(exchange, client, NOTHING_KNOWN, options);
    return undefined;
  }
  const inference = new Inference({
    exchange,
    dialect,
    options,
    snapshot,
    peeked,
    client,
    filters: given?.filters ?? NO_FILTERS,
  });
  inference.begin(given?.route);
  return inference;
}

/** A body that nobody is asked about. */
export function refuseUpload(exchange: Exchange, error: GatewayError, options: PipelineOptions): void {
  refuse(exchange, error, NOTHING_KNOWN, options);
}

/** Accounts are shared: what a provider keeps under an id may be another caller's, and only who looked it up knows. */
function heldElsewhere({ state }: PeekedRequest): GatewayError | undefined {
  const param = state?.previousId === undefined ? 'conversation' : 'previous_response_id';
  if (state?.previousId === undefined && state?.conversationId === undefined) return undefined;
  return new GatewayError('unsupported_parameter', { param, detail: `\`${param}\` cannot be used here.` });
}
