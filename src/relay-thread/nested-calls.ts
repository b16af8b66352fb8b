import type { ServerSettings } from '../config/server/server-settings.ts';
import { GatewayError } from '../core/errors.ts';
import { exchangeId } from '../core/ids.ts';
import type { Admission } from '../limits/admission.ts';
import type { PipelineOptions } from '../pipeline/pipeline-options.ts';
import type { McpHeld, McpHold, McpHoldEnd, McpRefusal, McpReleased, ToMcpPort } from '../threads/mcp-messages.ts';
import { nestedRecord } from './mcp-records.ts';
import { type OpenMcpRequest, settleCall } from './open-mcp-request.ts';
import { endKept, type KeptCall, keepCall, keepResult, sourceOf } from './tool-bodies.ts';
import { guardNestedCall, guardNestedResult } from './tool-guards.ts';

export interface NestedCallsOptions {
  readonly pipeline: PipelineOptions;
  settings(): ServerSettings;
  tell(message: ToMcpPort): void;
}

/** A call that was under way when its request ended. */
const CUT: McpHoldEnd = { failed: true, detail: 'cancelled', bytesOut: 0, upstreamMs: 0 };

/** Calls that code makes within one request: each has guards, kept bodies and a record of its own. */
export class NestedCalls {
  readonly #options: NestedCallsOptions;

  constructor(options: NestedCallsOptions) {
    this.#options = options;
  }

  /** One that limits let in, until it is released. Never rejects. */
  async hold(answer: McpHeld, open: OpenMcpRequest, hold: McpHold, admission: Admission): Promise<void> {
    const { tell, pipeline } = this.#options;
    const { number, called, args } = hold;
    const startedAt = performance.now();
    const { guardrails } = pipeline.snapshot();
    const own = called.at(-1);
    const guarded =
      guardrails && own && args !== undefined ? await guardNestedCall(guardrails, open, own, args) : undefined;
    if (open.over || guarded instanceof GatewayError) {
      settleCall(admission, undefined);
      if (guarded instanceof GatewayError) tell({ ...answer, refused: refusalOf(guarded) });
      else guarded?.session.close();
      return;
    }
    const recordId = exchangeId();
    const asked = guarded?.args ?? args;
    const bodies = asked === undefined ? undefined : this.#keep(open, recordId, asked);
    open.nested ??= new Map();
    open.nested.set(number, { recordId, hold, startedAt, admission, bodies, guard: guarded?.session });
    tell(guarded ? { ...answer, args: guarded.args, guarded: true } : answer);
  }

  /** One is over. Never rejects. */
  async release(id: number, open: OpenMcpRequest, number: number, end: McpHoldEnd): Promise<void> {
    const nested = open.nested?.get(number);
    if (!nested) return;
    open.nested?.delete(number);
    const { tell, pipeline, settings } = this.#options;
    const { guard, hold, bodies, admission } = nested;
    settleCall(admission, hold.costNanoUsd ?? 0);
    if ('onAnswer' in open.asker && hold.costNanoUsd !== undefined) open.asker.onCost?.(hold.costNanoUsd);
    let { result } = end;
    if (guard && result !== undefined) {
      const answer: McpReleased = { type: 'released', id, number };
      const made = await guardNestedResult(guard, hold, result);
      if (made instanceof GatewayError) tell({ ...answer, refused: refusalOf(made) });
      else tell(made === result ? answer : { ...answer, result: made });
      result = made instanceof GatewayError ? undefined : made;
    }
    guard?.close();
    const record = nestedRecord(open, nested, end, { thread: pipeline.thread, settings: settings() });
    pipeline.record(record);
    if (bodies) keepResult(bodies, result ?? '');
    endKept(pipeline, bodies, guard, record);
  }

  /** The request is over: so are its calls. */
  cut(id: number, open: OpenMcpRequest): void {
    for (const number of [...(open.nested?.keys() ?? [])]) void this.release(id, open, number, CUT);
  }

  #keep(open: OpenMcpRequest, recordId: string, args: string): KeptCall | undefined {
    const { pipeline } = this.#options;
    const kept = keepCall(pipeline, open, sourceOf(recordId, open.exchange.principal, args));
    // Guards have read it.
    kept?.capture.keepRequest();
    return kept;
  }
}

export function refusalOf({ message, code, context: { retryAfterMs } }: GatewayError): McpRefusal {
  return { message, code, ...(retryAfterMs !== undefined && { retryAfterMs }) };
}
