import { GatewayError } from '../core/errors.ts';
import type { Exchange, Principal, ResponseSink } from '../core/exchange.ts';
import type { GuardSession } from '../guardrails/session.ts';
import type { PipelineOptions } from '../pipeline/pipeline-options.ts';
import type { Caller } from '../policy/caller.ts';
import { clientSettings } from '../policy/client-settings.ts';
import type { Capture, CaptureSource } from '../request-log/capture.ts';
import type { ExchangeRecord } from '../telemetry/exchange-record.ts';

/** A call of a tool whose arguments and result are kept. */
export interface KeptCall {
  readonly capture: Capture;
  readonly source: CaptureSource;
}

interface AskedCall {
  readonly exchange: Pick<Exchange, 'headers' | 'principal'>;
  readonly caller: Caller;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Begins to keep what a tool is called with; undefined: nothing of the call is kept. Where guards may read it, nothing is
 * kept before they have.
 */
export function keepCall(pipeline: PipelineOptions, call: AskedCall, source: CaptureSource): KeptCall | undefined {
  const { bodies, guardrails } = pipeline.snapshot();
  if (bodies === undefined || pipeline.requestLog === undefined) return undefined;
  const { exchange, caller, metadata } = call;
  const client = clientSettings(exchange.headers);
  const wish = client instanceof GatewayError ? undefined : client.logging;
  const plan = bodies.planOf({ caller, subject: exchange.principal.subject, metadata, wish });
  if (plan === undefined) return undefined;
  const capture = pipeline.requestLog.begin(source, plan);
  if (guardrails !== undefined) capture.withholdRequest();
  return { capture, source };
}

/** What stands in the place of a client's exchange: a call that an agent makes, or code. */
export function sourceOf(id: string, principal: Principal, text: string): CaptureSource {
  const body = Buffer.from(text);
  const sink: Pick<ResponseSink, 'tap'> = {};
  const headers = { contentType: JSON_TYPE };
  return { id, principal, body, arriving: undefined, bytesIn: body.length, headers, sink };
}

/** A result that goes to no client. */
export function keepResult({ capture }: KeptCall, text: string): void {
  capture.began(200, ['content-type', JSON_TYPE]);
  if (text !== '') capture.took(Buffer.from(text));
}

/** `record`: undefined where the call was refused. */
export function endKept(
  pipeline: PipelineOptions,
  kept: KeptCall | undefined,
  guard: GuardSession | undefined,
  record: ExchangeRecord | undefined,
): void {
  if (kept === undefined) return;
  const { capture, source } = kept;
  if (guard) capture.hidden = guard.pseudonyms.values;
  pipeline.requestLog?.end(source, capture, record);
}

const JSON_TYPE = 'application/json';
