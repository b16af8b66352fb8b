import type { JsonObject } from '../codec/json-value.ts';
import type { Exchange } from '../core/exchange.ts';
import { exchangeId } from '../core/ids.ts';
import type { GuardSession } from '../guardrails/session.ts';
import { type Admission, NOTHING_HELD } from '../limits/admission.ts';
import type { Caller } from '../policy/caller.ts';
import type { McpHold, McpRequest } from '../threads/mcp-messages.ts';
import { type McpFailure, toolIn } from './mcp-request.ts';
import type { KeptCall } from './tool-bodies.ts';

/** A request that the gateway itself makes on behalf of a caller, with the same checks as one of a client. */
export interface LocalMcpRequest {
  readonly exchange: Exchange;
  readonly server: string;
  readonly method: string;
  readonly params: JsonObject;
  readonly serverHeaders: McpRequest['serverHeaders'];
  /** Once. */
  onAnswer(answer: JsonObject | McpFailure): void;
  /** What it cost, integer nano-dollars, where a price is known. */
  onCost?(nanoUsd: number): void;
}

/** What stands behind an open request: a client's exchange, or the gateway itself. */
export type Asker = { readonly sink: Exchange['sink'] } | Pick<LocalMcpRequest, 'onAnswer' | 'onCost'>;

/** A request of MCP until its answer is over. */
export interface OpenMcpRequest {
  /** The id of its record: that of the exchange, or one of its own where an agent asks. */
  readonly recordId: string;
  readonly exchange: Exchange;
  readonly asker: Asker;
  readonly bytesIn: number;
  readonly startedAt: number;
  readonly caller: Caller;
  readonly metadata: Readonly<Record<string, string>>;
  /** Undefined: all servers that the caller may use. */
  readonly server: string | undefined;
  /** The tool that it calls, by the name that the client used; undefined: it calls none. */
  readonly tool: string | undefined;
  /** A stream that only tells what changes: a stop of the gateway ends it at once. */
  lasting: boolean;
  over: boolean;
  /** Settled with the end. */
  admission: Admission;
  /** Integer nano-dollars of the tool that is called; undefined: no price is known. */
  costNanoUsd: number | undefined;
  /** Calls that the request makes in turn, by number; undefined: none yet. */
  nested: Map<number, NestedCall> | undefined;
  /** The guards of a tool call that guards read. */
  guard?: GuardSession;
  /** The request, parsed, where guards of the answer may want it. */
  request?: JsonObject;
  /** The stream of an answer whose events guards read. */
  events?: GuardedStream | undefined;
  /** The bodies of a tool call whose arguments and result are kept. */
  bodies?: KeptCall | undefined;
}

export interface GuardedStream {
  /** False: an event is longer than one may be. */
  push(text: string): boolean;
  /** When all that came is written. */
  end(): Promise<void>;
}

export interface NestedCall {
  readonly recordId: string;
  readonly hold: McpHold;
  readonly startedAt: number;
  readonly admission: Admission;
  readonly bodies: KeptCall | undefined;
  /** Undefined: nothing guards it. */
  readonly guard: GuardSession | undefined;
}

export function openMcpRequest(
  exchange: Exchange,
  asker: Asker,
  caller: Caller,
  request: Pick<McpRequest, 'server' | 'body' | 'caller'>,
): OpenMcpRequest {
  const isLocal = 'onAnswer' in asker;
  return {
    recordId: isLocal ? exchangeId() : exchange.id,
    exchange,
    asker,
    caller,
    metadata: request.caller.metadata,
    server: request.server,
    tool: toolIn(request.body),
    bytesIn: isLocal ? Buffer.byteLength(request.body) : exchange.bytesIn,
    startedAt: isLocal ? performance.now() : exchange.startedAt,
    lasting: false,
    over: false,
    admission: NOTHING_HELD,
    costNanoUsd: undefined,
    nested: undefined,
  };
}

/** `costNanoUsd`: undefined where nothing was sent. A call counts whatever became of it. */
export function settleCall(admission: Admission, costNanoUsd: number | undefined): void {
  const dispatched = costNanoUsd !== undefined;
  admission.settle({ dispatched, usage: undefined, costNanoUsd, endedAtMs: Date.now() });
}
