import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { Configuration, KeylessConfiguration } from '../config/configuration.ts';
import { type ErrorCode, type ErrorContext, GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import type { Log } from '../core/log.ts';
import type { AdminAnswer, AdminRequest, AdminRoute, DescribedRoute } from '../operator/admin/admin-route.ts';
import type { DatedAuditEntry } from '../store/audit.ts';
import type { RequestBodiesRow } from '../store/request-bodies.ts';
import { DatabaseAway } from '../store/store-fault.ts';
import { errorOf } from '../store/thrown.ts';
import type { MetricRegistry } from '../telemetry/metric-registry.ts';
import { RecordFrame } from '../telemetry/record-frame.ts';
import { type BatchWorkMessage, buffersOf } from '../threads/batch-messages.ts';
import type {
  DatabaseQuestion,
  DatabaseThreadData,
  FromDatabaseThread,
  Opened,
  ToDatabaseThread,
} from '../threads/database-messages.ts';
import type { IdentityMessage, IdentityState } from '../threads/identity-messages.ts';
import type { McpRowAnswer, McpRowQuestion } from '../threads/mcp-row-messages.ts';
import type { FromRelayThread, LedgerFrame, RelayThreadData } from '../threads/messages.ts';
import type { MainService } from './main-service.ts';

export interface DatabaseThreadOptions {
  readonly configuration: Configuration;
  readonly counters: SharedArrayBuffer;
  readonly counts: SharedArrayBuffer;
  readonly registry: MetricRegistry;
  /** The log, which that thread's lines go into too. */
  readonly log: Log;
  /** The journal is full, or has room again. */
  readonly onFull: (full: boolean) => void;
  /** Tells one relay thread, if it is there. */
  readonly tell: (thread: number, message: ForThread) => void;
  /** Tells every relay thread. */
  readonly onIdentity: (message: IdentityMessage) => void;
  readonly onBatchWork: (message: BatchWorkMessage) => void;
}

type ForThread = Extract<FromDatabaseThread, { type: 'for-thread' }>['message'];

interface Asked {
  resolve(value: unknown): void;
  reject(error: unknown): void;
  readonly deadline: NodeJS.Timeout;
}

/** Longer than a write to SQLite waits for another process's, and shorter than the operator port waits, which is 30 s. */
const ADMIN_MS = 10_000;
/** A new relay thread may have to learn a million keys. */
const BIRTH_MS = 60_000;
/** Longer than the ledger waits for its database at its end. */
const CLOSE_MS = 30_000;
/** The longest wait for the thread to be gone, once all is closed. */
const EXIT_MS = 1_000;
/** Messages with records under way. Beyond it, records in the journal are read from there later; others are still sent. */
const MAX_UNDERWAY = 64;
const MAX_UNDERWAY_UNWRITTEN = 256;
/** Less than in other threads (threads/steady-heap.ts): records lie outside of the heap. */
const YOUNG_MIB = 6;

/**
 * The main thread's side of the database's thread (database-thread/): hands it what relay threads send, asks it, and waits
 * for no disk and no lock. If it ends unexpectedly the process does: a gateway without it would lose what it should keep.
 */
export class DatabaseThread implements MainService {
  readonly #worker: Worker;
  readonly #taken = new SharedArrayBuffer(4);
  readonly #takenCount = new Int32Array(this.#taken);
  readonly #asked = new Map<number, Asked>();
  #options: DatabaseThreadOptions | undefined;
  #onOpened: { resolve(opened: Opened): void; reject(error: unknown): void } | undefined;
  #fault: unknown;
  #number = 0;
  #sent = 0;
  #full = false;
  #journalFolder: string | undefined;
  #fullReason: string | undefined;
  #metrics = '';
  #closing = false;

  /** The thread loads its code and waits. */
  constructor(entry: URL) {
    this.#worker = new Worker(entry, { name: 'database', resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MIB } });
    this.#worker.on('message', (message: FromDatabaseThread) => this.#hear(message));
    this.#worker.on('error', (error) => {
      this.#fault = error;
    });
    this.#worker.on('exit', () => this.#onExit());
  }

  /** Resolves when all that earlier runs left is written, or goes on being written beside what is served. Rejects with a StoreFault. */
  async open(options: DatabaseThreadOptions): Promise<Opened> {
    this.#options = options;
    const { configuration, counters, counts, registry } = options;
    registry.append(() => this.#metrics);
    const data: DatabaseThreadData = {
      configuration: withoutKeys(configuration),
      counters,
      counts,
      taken: this.#taken,
    };
    const opened = await new Promise<Opened>((resolve, reject) => {
      this.#onOpened = { resolve, reject };
      this.#post({ type: 'begin', data });
    });
    this.#journalFolder = opened.journalFolder;
    return opened;
  }

  /** The journal for a new relay thread; undefined: there is no ledger. */
  get journal(): RelayThreadData['journal'] {
    const folder = this.#journalFolder;
    return folder === undefined ? undefined : { folder, full: this.#full };
  }

  /** Why new exchanges may be refused; undefined: their records have room. */
  get fullReason(): string | undefined {
    return this.#fullReason;
  }

  /** The keys for a new relay thread; later changes follow by messages. */
  async identityFor(thread: number): Promise<IdentityState> {
    return (await this.#ask({ kind: 'birth', thread }, BIRTH_MS)) as IdentityState;
  }

  /** Their buffers are gone afterwards. */
  take(thread: number, frames: readonly LedgerFrame[]): void {
    const underway = this.#sent - Atomics.load(this.#takenCount, 0);
    const sent = underway < MAX_UNDERWAY ? frames : frames.filter(({ place }) => place === undefined);
    if (sent.length === 0) return;
    if (underway >= MAX_UNDERWAY_UNWRITTEN) {
      const records = sent.reduce((sum, { frame }) => sum + new RecordFrame(frame).length, 0);
      this.#post({ type: 'news', news: { type: 'ledger-lost', thread, records } });
      return;
    }
    this.#sent += 1;
    const transfer = sent.map(({ frame }) => frame.buffer);
    this.#post({ type: 'records', thread, frames: sent }, transfer);
  }

  /** Reads the budgets again: the database may hold spending that the counts do not have. */
  refreshBudgets(): void {
    this.#post({ type: 'refresh-budgets' });
  }

  /** The routes of the admin API that the database's thread answers. */
  async adminRoutes(): Promise<AdminRoute[]> {
    const described = (await this.#ask({ kind: 'admin-routes' }, ADMIN_MS)) as readonly DescribedRoute[];
    return described.map((route) => ({ ...route, handle: (request) => this.#askAdmin(route, request) }));
  }

  /** Rejects with a DatabaseAway where the database does not answer in time. */
  async #askAdmin({ method, path }: DescribedRoute, request: AdminRequest): Promise<OrError<AdminAnswer>> {
    const { parameters, query, body, viewer } = request;
    const asked = { parameters, query: query.toString(), body, viewer };
    const question: DatabaseQuestion = { kind: 'admin', method, path, ...asked };
    // Made by the same route in the other thread.
    const answer = (await this.#ask(question, ADMIN_MS)) as
      | AdminAnswer
      | { readonly code: ErrorCode; readonly context: ErrorContext };
    return 'code' in answer ? new GatewayError(answer.code, answer.context) : answer;
  }

  /** What the thread of MCP asks. Never rejects. */
  async mcpRows(question: McpRowQuestion): Promise<McpRowAnswer> {
    try {
      return (await this.#ask({ kind: 'mcp-rows', question }, ADMIN_MS)) as McpRowAnswer;
    } catch {
      // It did not answer in time, which its own log says.
      return { kind: 'away' };
    }
  }

  /** Keeps rows of the request log. Rejects where they cannot be kept. */
  async keepBodies(rows: readonly RequestBodiesRow[]): Promise<void> {
    await this.#ask({ kind: 'keep-bodies', rows }, ADMIN_MS);
  }

  /** Rejects where they cannot be written. */
  async audit(entries: readonly DatedAuditEntry[]): Promise<void> {
    await this.#ask({ kind: 'audit', entries }, ADMIN_MS);
  }

  reconfigure(configuration: Configuration): void {
    this.#post({ type: 'reconfigure', configuration: withoutKeys(configuration) });
  }

  hear(message: FromRelayThread): void {
    switch (message.type) {
      case 'journal-closed':
      case 'journal-failed':
      case 'journal-room':
      case 'ledger-lost':
      case 'budget-refuses':
      case 'keys-known':
      case 'issuer-key-unknown':
        this.#post({ type: 'news', news: message });
        return;
      case 'batches-ask':
        this.#post({ type: 'thread-asks', message }, buffersOf(message.question));
        return;
      case 'files-ask':
      case 'responses-ask':
      case 'secret-ask':
        this.#post({ type: 'thread-asks', message });
    }
  }

  threadDied(thread: number): void {
    this.#post({ type: 'thread-died', thread });
  }

  /** Everything that relay threads sent is written, or stays in the journal. It can still be asked. */
  async closeLedger(): Promise<void> {
    await this.#ask({ kind: 'close-ledger' }, CLOSE_MS);
  }

  async close(): Promise<void> {
    this.#closing = true;
    const gone = new Promise((resolve) => this.#worker.once('exit', resolve));
    try {
      await this.#ask({ kind: 'close' }, CLOSE_MS);
    } finally {
      await Promise.race([gone, delay(EXIT_MS, undefined, { ref: false })]);
      await this.#worker.terminate();
    }
  }

  /** Rejects with what was thrown there, or a DatabaseAway after `withinMs`. */
  #ask(question: DatabaseQuestion, withinMs: number): Promise<unknown> {
    this.#number += 1;
    const number = this.#number;
    return new Promise((resolve, reject) => {
      const deadline = setTimeout(() => {
        this.#asked.delete(number);
        reject(new DatabaseAway(`The database did not answer within ${withinMs} ms.`));
      }, withinMs).unref();
      this.#asked.set(number, { resolve, reject, deadline });
      this.#post({ type: 'ask', number, question });
    });
  }

  #hear(message: FromDatabaseThread): void {
    switch (message.type) {
      case 'opened':
        this.#onOpened?.resolve(message.opened);
        return;
      case 'not-open':
        this.#onOpened?.reject(errorOf(message.thrown));
        return;
      case 'answer':
        this.#answered(message.number)?.resolve(message.value);
        return;
      case 'thrown':
        this.#answered(message.number)?.reject(errorOf(message.thrown));
        return;
      case 'for-thread':
        this.#options?.tell(message.thread, message.message);
        return;
      case 'identity':
        this.#options?.onIdentity(message.message);
        return;
      case 'batch-work':
        this.#options?.onBatchWork(message);
        return;
      case 'full':
        this.#full = message.full;
        this.#options?.onFull(message.full);
        return;
      case 'state':
        this.#fullReason = message.fullReason;
        this.#metrics = message.metrics;
        return;
      case 'log':
        this.#options?.log[message.level](message.fields, message.message);
    }
  }

  #answered(number: number): Asked | undefined {
    const asked = this.#asked.get(number);
    this.#asked.delete(number);
    clearTimeout(asked?.deadline);
    return asked;
  }

  #onExit(): void {
    if (this.#closing) return;
    const error = new Error('the thread of the database ended', { cause: this.#fault });
    this.#options?.log.error({ error }, 'the thread of the database ended; so does the gateway');
    throw error;
  }

  #post(message: ToDatabaseThread, transfer: readonly ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, transfer);
  }
}

function withoutKeys({ keys: _keys, ...rest }: Configuration): KeylessConfiguration {
  return rest;
}
