import type { ServerSettings } from '../config/server/server-settings.ts';
import { epochMs } from '../core/clock.ts';
import type { GatewayError } from '../core/errors.ts';
import type { GuardSession } from '../guardrails/session.ts';
import type { Admission } from '../limits/admission.ts';
import { toolModel } from '../limits/tool-rules.ts';
import { recordedMetadata } from '../policy/metadata.ts';
import type { ExchangeRecord } from '../telemetry/exchange-record.ts';
import type { McpHoldEnd, McpOutcome } from '../threads/mcp-messages.ts';
import type { NestedCall, OpenMcpRequest } from './open-mcp-request.ts';

/** As much as records have room for. */
const MAX_DETAIL = 500;

/** The record of a request of MCP that is over. `left`: its client did not wait for the end. */
export function requestRecord(
  open: OpenMcpRequest,
  outcome: McpOutcome,
  about: {
    readonly thread: number;
    readonly settings: ServerSettings;
    readonly status: number;
    readonly left: boolean;
  },
): ExchangeRecord {
  const { exchange, asker, startedAt, guard } = open;
  const { left } = about;
  const durationMs = performance.now() - startedAt;
  const ownMs = startedAt + durationMs - Math.max(startedAt, exchange.bodyReadAt);
  return {
    ...common(open, open.admission, open.costNanoUsd, about),
    id: open.recordId,
    startedAt: epochMs(startedAt),
    durationMs,
    status: left ? 499 : about.status,
    outcome: left ? 'client-closed' : outcome.failed ? 'error' : 'ok',
    stream: open.lasting,
    attempts: outcome.server === undefined ? 0 : 1,
    upstreamMs: outcome.upstreamMs,
    overheadMs: Math.max(0, ownMs - outcome.upstreamMs),
    bytesIn: open.bytesIn,
    bytesOut: 'sink' in asker ? asker.sink.bytesOut : 0,
    ...(outcome.server !== undefined && { target: outcome.server }),
    ...(outcome.tool !== undefined && { model: toolModel(outcome.server ?? '', outcome.tool) }),
    ...failureOf(outcome),
    ...(guard?.json !== undefined && { guardrailsJson: guard.json }),
  };
}

/** The record of a call that the gateway makes itself, and guards refuse: it says who did. */
export function guardedRecord(
  open: OpenMcpRequest,
  guard: GuardSession,
  error: GatewayError,
  about: { readonly thread: number; readonly settings: ServerSettings },
): ExchangeRecord {
  const durationMs = performance.now() - open.startedAt;
  return {
    ...common(open, open.admission, undefined, about),
    id: open.recordId,
    startedAt: epochMs(open.startedAt),
    durationMs,
    overheadMs: durationMs,
    status: error.status,
    outcome: 'error',
    errorCode: error.code,
    errorDetail: error.recordedDetail('keep'),
    model: guard.exchange.model,
    stream: false,
    attempts: 0,
    upstreamMs: 0,
    bytesIn: open.bytesIn,
    bytesOut: 0,
    ...(guard.json !== undefined && { guardrailsJson: guard.json }),
  };
}

/** A call of many that one request makes has a record of its own, under the same request id. */
export function nestedRecord(
  open: OpenMcpRequest,
  { recordId, hold, startedAt, admission, guard }: NestedCall,
  end: McpHoldEnd,
  about: { readonly thread: number; readonly settings: ServerSettings },
): ExchangeRecord {
  const [called] = hold.called;
  const durationMs = performance.now() - startedAt;
  return {
    ...common(open, admission, hold.costNanoUsd, about),
    id: recordId,
    startedAt: epochMs(startedAt),
    durationMs,
    status: 200,
    outcome: end.failed ? 'error' : 'ok',
    stream: false,
    attempts: 1,
    upstreamMs: end.upstreamMs,
    overheadMs: Math.max(0, durationMs - end.upstreamMs),
    bytesIn: hold.bytesIn,
    bytesOut: end.bytesOut,
    ...(called && { target: called.server, model: toolModel(called.server, called.tool) }),
    ...failureOf(end),
    ...(guard?.json !== undefined && { guardrailsJson: guard.json }),
  };
}

function common(
  { exchange, caller, metadata }: OpenMcpRequest,
  { rulesJson, chargesJson }: Admission,
  costNanoUsd: number | undefined,
  { thread, settings }: { readonly thread: number; readonly settings: ServerSettings },
) {
  const { principal } = exchange;
  const metadataJson = recordedMetadata(metadata, settings);
  return {
    requestId: exchange.requestId,
    thread,
    method: exchange.method,
    path: exchange.path,
    subject: principal.subject,
    keyId: principal.keyId,
    provider: 'mcp',
    ...(costNanoUsd !== undefined && { costNanoUsd }),
    ...(rulesJson !== undefined && { rulesJson }),
    ...(chargesJson !== undefined && { chargesJson }),
    ...(caller.teamsJson !== undefined && { teamsJson: caller.teamsJson }),
    ...(metadataJson !== undefined && { metadataJson }),
  };
}

function failureOf({ failed, detail }: Pick<McpOutcome, 'failed' | 'detail'>) {
  return {
    ...(failed && { errorCode: 'mcp_call_failed' as const }),
    ...(detail !== undefined && { errorDetail: detail.slice(0, MAX_DETAIL) }),
  };
}
