import type { KeylessConfiguration } from '../config/configuration.ts';
import type { DatedAuditEntry } from '../store/audit.ts';
import type { RequestBodiesRow } from '../store/request-bodies.ts';
import type { Thrown } from '../store/thrown.ts';
import type { BatchAnswerMessage, BatchQuestionMessage, BatchWorkMessage } from './batch-messages.ts';
import type { FileAnswerMessage, FileQuestionMessage } from './file-messages.ts';
import type { IdentityAnswer, IdentityMessage } from './identity-messages.ts';
import type { McpRowQuestion } from './mcp-row-messages.ts';
import type { FromRelayThread, LedgerFrame } from './messages.ts';
import type { ResponseAnswerMessage, ResponseQuestionMessage } from './response-messages.ts';
import type { SecretAnswerMessage, SecretQuestionMessage } from './secret-messages.ts';

/** What the database's thread is born with. Structured-clonable but for the shared buffers, which are shared. */
export interface DatabaseThreadData {
  readonly configuration: KeylessConfiguration;
  /** SharedCounters. */
  readonly counters: SharedArrayBuffer;
  /** The counts of rate limits and budgets: counters/memory-counters. */
  readonly counts: SharedArrayBuffer;
  /** One 32-bit number: messages with records that it has taken. */
  readonly taken: SharedArrayBuffer;
}

/** What a relay thread tells the ledger, its budgets and identity. */
export type RelayNews =
  | Extract<
      FromRelayThread,
      { type: 'journal-closed' | 'journal-failed' | 'journal-room' | 'ledger-lost' | 'budget-refuses' }
    >
  | IdentityAnswer;

export type DatabaseQuestion =
  /** Answered with a list of DescribedRoute. */
  | { kind: 'admin-routes' }
  /** The admin API asks; the answer is an AdminAnswer, or code and context of an error. */
  | {
      kind: 'admin';
      method: string;
      /** The path of the route, as `/admin/receipts/:id`. */
      path: string;
      parameters: Readonly<Record<string, string>>;
      query: string;
      body: unknown;
      /** Whose data may be told; undefined: all. */
      viewer: { readonly subject: string; readonly teams: readonly string[] } | undefined;
    }
  /** What a relay thread that is born now knows of keys; answered with an IdentityState. All that is told later follows it. */
  | { kind: 'birth'; thread: number }
  /** The MCP thread asks; the answer is a McpRowAnswer. */
  | { kind: 'mcp-rows'; question: McpRowQuestion }
  /** The request log asks to keep rows; it is answered when they are written. */
  | { kind: 'keep-bodies'; rows: readonly RequestBodiesRow[] }
  /** The audit log asks to keep entries; it is answered when they are written. */
  | { kind: 'audit'; entries: readonly DatedAuditEntry[] }
  /** All that relay threads sent is written, or stays in the journal. */
  | { kind: 'close-ledger' }
  /** The last question. */
  | { kind: 'close' };

export type ToDatabaseThread =
  /** The first message; before it the thread only loads its code. */
  | { type: 'begin'; data: DatabaseThreadData }
  /** Their buffers are transferred. */
  | { type: 'records'; thread: number; frames: readonly LedgerFrame[] }
  | { type: 'news'; news: RelayNews }
  /** A relay thread, which has its own deadline, asks: the answer is `for-thread`. */
  | {
      type: 'thread-asks';
      message: FileQuestionMessage | BatchQuestionMessage | ResponseQuestionMessage | SecretQuestionMessage;
    }
  | { type: 'thread-died'; thread: number }
  | { type: 'reconfigure'; configuration: KeylessConfiguration }
  /** The wall clock was set: the database may hold what the counts do not know. */
  | { type: 'refresh-budgets' }
  /** To be answered with its number. */
  | { type: 'ask'; number: number; question: DatabaseQuestion };

export interface Opened {
  /** Somebody was given a key that was not taken back. */
  readonly hasIssuedKeys: boolean;
  /** Segments of the journal go there; undefined: there is no ledger. */
  readonly journalFolder: string | undefined;
}

export type FromDatabaseThread =
  /** What earlier runs left is written, and relay threads may begin. */
  | { type: 'opened'; opened: Opened }
  /** It cannot begin. */
  | { type: 'not-open'; thrown: Thrown }
  | { type: 'answer'; number: number; value: unknown }
  | { type: 'thrown'; number: number; thrown: Thrown }
  /** This goes to that relay thread. */
  | {
      type: 'for-thread';
      thread: number;
      message: FileAnswerMessage | BatchAnswerMessage | ResponseAnswerMessage | SecretAnswerMessage;
    }
  /** This goes to every relay thread. */
  | { type: 'identity'; message: IdentityMessage }
  | BatchWorkMessage
  /** The journal holds all that it may, or less again. */
  | { type: 'full'; full: boolean }
  /** What changed of these: why new exchanges may be refused, and the metrics of this thread as text. */
  | { type: 'state'; fullReason: string | undefined; metrics: string }
  /** What was thrown is among the fields as a Thrown. */
  | { type: 'log'; level: 'debug' | 'info' | 'warn' | 'error'; fields: object; message: string };
