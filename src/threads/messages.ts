import type { MessagePort } from 'node:worker_threads';
import type { Configuration } from '../config/configuration.ts';
import type { PackedConfiguration } from '../config/packed-configuration.ts';
import type { PackedKeys } from '../config/packed-keys.ts';
import type { AccountToken } from '../core/account-token.ts';
import type { BudgetWindowKey, RefusalAction } from '../counters/budget-groups.ts';
import type { AgentRun } from '../telemetry/agent-metrics.ts';
import type { ThreadStats } from '../telemetry/thread-stats.ts';
import type { BatchAnswerMessage, BatchQuestionMessage, BatchWorkMessage } from './batch-messages.ts';
import type { FileAnswerMessage, FileQuestionMessage } from './file-messages.ts';
import type { IdentityAnswer, IdentityMessage, IdentityState } from './identity-messages.ts';
import type { CapturedMessage, CapturedTaken } from './request-log-messages.ts';
import type { ResponseAnswerMessage, ResponseQuestionMessage } from './response-messages.ts';
import type { SecretAnswerMessage, SecretQuestionMessage } from './secret-messages.ts';

/** Bytes of one segment of the journal. */
export interface JournalPlace {
  readonly segment: string;
  readonly start: number;
  readonly end: number;
}

export interface LedgerFrame {
  readonly frame: Uint8Array<ArrayBuffer>;
  /** Where it stands in the journal; undefined: it could not be written. */
  readonly place: JournalPlace | undefined;
}

/** What a relay thread is born with. Structured-clonable but for the shared buffer, which is shared. */
export interface RelayThreadData {
  readonly thread: number;
  readonly threads: number;
  readonly counters: SharedArrayBuffer;
  /** The counts of rate limits and budgets: counters/memory-counters. */
  readonly counts: SharedArrayBuffer;
  /** Health and latencies of targets, and tiers of requests: routing/place. */
  readonly health: {
    readonly circuits: SharedArrayBuffer;
    readonly latencies: SharedArrayBuffer;
    readonly agreement: SharedArrayBuffer;
    readonly tiers: SharedArrayBuffer;
  };
  /** The cached answers: cache/shared-answers. */
  readonly answers: SharedArrayBuffer;
  /** The claims of answers that are on their way: cache/flight-claims. */
  readonly claims: SharedArrayBuffer;
  /** The vectors of the questions that they answered: cache/shared-vectors. */
  readonly vectors: SharedArrayBuffer;
  readonly configuration: Configuration;
  readonly identity: IdentityState;
  /** Keys were issued when the gateway began: what reads them is loaded before the first comes. */
  readonly hasIssuedKeys: boolean;
  /** The tokens of accounts whose credentials end. */
  readonly tokens: readonly AccountToken[];
  /** Where its part of the ledger's journal goes; undefined: there is no ledger. */
  readonly journal: { readonly folder: string; readonly full: boolean } | undefined;
}

/** The OpenAPI document is wanted. */
export interface OpenApiWanted {
  readonly type: 'openapi-wanted';
  readonly thread: number;
  readonly number: number;
}

export interface OpenApiMessage {
  readonly type: 'openapi';
  readonly number: number;
  /** Undefined: it could not be made. */
  readonly json: Uint8Array | undefined;
}

/** The same on its way to the thread. */
export interface RelayThreadBirth extends Omit<RelayThreadData, 'configuration'> {
  readonly configuration: PackedConfiguration;
}

/** Answered by `configured` of this number or a later one: one that comes before it was taken takes its place. */
export interface ReconfigureMessage {
  readonly type: 'reconfigure';
  readonly number: number;
  readonly configuration: PackedConfiguration;
}

export type ToRelayThread =
  /** The first message; before it a thread only loads its code. */
  | { type: 'begin'; data: RelayThreadBirth }
  | ReconfigureMessage
  /** A reload changed nothing but the configured keys. */
  | { type: 'configured-keys'; keys: PackedKeys }
  | IdentityMessage
  | OpenApiMessage
  | FileAnswerMessage
  | BatchAnswerMessage
  | ResponseAnswerMessage
  | SecretAnswerMessage
  | BatchWorkMessage
  | CapturedTaken
  /** All tokens of accounts that there are now: one of them is new. */
  | { type: 'tokens'; tokens: readonly AccountToken[] }
  /** The journal is full, or has room again. */
  | { type: 'ledger-full'; full: boolean }
  /** Another relay thread wants answers which are on their way here; the port is transferred. */
  | { type: 'flight-port'; port: MessagePort }
  /** To the thread of MCP; the port is transferred. */
  | { type: 'mcp'; port: MessagePort }
  /** Accept nothing new; answer `drained` when the last exchange has ended. */
  | { type: 'drain' }
  /** The drain deadline came: end what is open. */
  | { type: 'cut' };

export type FromRelayThread =
  | { type: 'listening'; port: number }
  | { type: 'listen-failed' }
  /** The configuration of this number is in force; one that could not be put in force was told to the log. */
  | { type: 'configured'; number: number }
  /** Encoded ExchangeRecords, several frames at once; their buffers are transferred. */
  | { type: 'records'; thread: number; frames: readonly Uint8Array<ArrayBuffer>[] }
  /** The same of those that belong into the ledger. */
  | { type: 'ledger-records'; thread: number; frames: readonly LedgerFrame[] }
  /** No more is written into this segment of the journal. Frames in it that were never sent are to be read from there. */
  | { type: 'journal-closed'; thread: number; segment: string; end: number }
  | { type: 'journal-failed'; thread: number; reason: string }
  /** The journal can reserve no more room on the disk, for this reason; undefined: it can again. Told when that changes. */
  | { type: 'journal-room'; thread: number; fault: string | undefined }
  /** Records that are in no journal and were not sent either, because too much is on its way. */
  | { type: 'ledger-lost'; thread: number; records: number }
  | { type: 'stats'; stats: ThreadStats }
  /** Redis does not answer; once until it is back. */
  | { type: 'counters-away'; thread: number; reason: string }
  | { type: 'counters-back'; thread: number }
  /** The Redis of the cache does not answer; once until it is back. */
  | { type: 'cache-away'; thread: number; reason: string }
  | { type: 'cache-back'; thread: number }
  /** A budget refused a request, or sent it to a cheaper model: the first in its period that this thread knows of. */
  | { type: 'budget-refuses'; window: BudgetWindowKey; action: RefusalAction }
  /** A request of MCP is there: a port to its thread is wanted. */
  | { type: 'mcp-wanted'; thread: number }
  /** This goes to relay thread `to`; the port is transferred. */
  | { type: 'flight-port-to'; to: number; port: MessagePort }
  /** A run of an agent is over. */
  | { type: 'agent-over'; run: AgentRun }
  | { type: 'log'; line: string }
  | OpenApiWanted
  | IdentityAnswer
  | CapturedMessage
  | FileQuestionMessage
  | BatchQuestionMessage
  | ResponseQuestionMessage
  | SecretQuestionMessage
  | { type: 'drained' };
