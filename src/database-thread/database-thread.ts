import { setTimeout as delay } from 'node:timers/promises';
import { parentPort } from 'node:worker_threads';
import type { KeylessConfiguration } from '../config/configuration.ts';
import { GatewayError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { MemoryCounters } from '../counters/memory-counters.ts';
import { databaseThreadOf } from '../counters/shared-layout.ts';
import { Identity } from '../identity/identity.ts';
import { registerIssuers } from '../identity/issuer-metrics.ts';
import type { AdminAnswer, AdminRoute } from '../operator/admin/admin-route.ts';
import { JSON_TYPE } from '../operator/answer.ts';
import { hasIssuedKeys } from '../store/api-keys.ts';
import { appendAudit } from '../store/audit.ts';
import { type Database, databasePlace, openDatabase } from '../store/database.ts';
import { loadOrMakeGatewayId } from '../store/gateway-id.ts';
import type { BodiesReader } from '../store/request-bodies.ts';
import { thrownOf } from '../store/thrown.ts';
import { MetricRegistry } from '../telemetry/metric-registry.ts';
import { RecordFrame } from '../telemetry/record-frame.ts';
import type {
  DatabaseQuestion,
  DatabaseThreadData,
  FromDatabaseThread,
  ToDatabaseThread,
} from '../threads/database-messages.ts';
import { SharedCounters } from '../threads/shared-counters.ts';
import { collectWhenIdle } from '../threads/steady-heap.ts';
import { sideRequests } from '../upstream/side-requests.ts';
import { BatchService } from './batch-service.ts';
import { budgetSeed } from './budget-seed.ts';
import { type FileService, openFiles } from './file-service.ts';
import { type LedgerService, openLedger } from './ledger-service.ts';
import { McpRowService } from './mcp-row-service.ts';
import { BODIES_OWNER, RequestLogStore } from './request-log-store.ts';
import { ResponseService } from './response-service.ts';
import { SecretService } from './secret-service.ts';

/*
 * The thread of everything that may wait for a disk or a lock: the database, the ledger, what budgets spent, keys that are
 * issued, and what the admin API asks of them. The main thread asks it and never waits.
 */

/** The longest wait for questions of batches, files and kept answers to the database when the gateway ends. */
const SERVICES_CLOSE_MS = 3_000;
/** How far behind GET /metrics may be. */
const STATE_MS = 500;

const port = parentPort!;
const send = (message: FromDatabaseThread): void => port.postMessage(message);

type LaterMessage = Exclude<ToDatabaseThread, { type: 'begin' }>;
let hear = (_message: LaterMessage): void => {};
const data = await new Promise<DatabaseThreadData>((resolve) => {
  port.on('message', (message: ToDatabaseThread) => {
    if (message.type === 'begin') resolve(message.data);
    else hear(message);
  });
});

let configuration: KeylessConfiguration = data.configuration;
const { threads } = configuration.server;
/** Few lines: they are written by the main thread, and no logger is loaded here. */
const log: Log = {
  debug: (fields, message) => tell('debug', fields, message),
  info: (fields, message) => tell('info', fields, message),
  warn: (fields, message) => tell('warn', fields, message),
  error: (fields, message) => tell('error', fields, message),
};
// Whatever is thrown past all guards costs what it was about, not the ledger.
process.on('uncaughtException', (error) => log.error({ error }, 'uncaught in the thread of the database'));
process.on('unhandledRejection', (error) => log.error({ error }, 'unhandled in the thread of the database'));

const counters = new SharedCounters(threads, 0, data.counters);
const counts = new MemoryCounters(data.counts, databaseThreadOf(threads));
const taken = new Int32Array(data.taken);
const registry = new MetricRegistry();

try {
  await begin();
} catch (error) {
  send({ type: 'not-open', thrown: thrownOf(error) });
}

interface Parts {
  readonly database: Database;
  readonly gatewayId: string;
  readonly identity: Identity;
  readonly ledger: LedgerService;
  readonly files: FileService;
  readonly batches: BatchService;
  readonly responses: ResponseService;
  readonly secrets: SecretService;
  readonly mcpRows: McpRowService;
  readonly requestLog: RequestLogStore;
  readonly admin: () => Promise<readonly AdminRoute[]>;
  /** In this order: who writes to the database before it is closed. */
  closeAll(): Promise<void>;
}

async function begin(): Promise<void> {
  const { server, identities } = configuration;
  const database = await openDatabase(databasePlace(server));
  const http = sideRequests(() => configuration.server.upstream);
  const identity = await Identity.open({ database, dataDir: server.dataDir, threads, identities, http, log });
  registerIssuers(registry, () => identity.issuerStates());
  const anyKeys = await hasIssuedKeys(database);
  const seed = await budgetSeed({ database, server, budgets: () => configuration.budgets, log });
  const ledger = await openLedger({
    database,
    configuration,
    counters: counts,
    seed,
    registry,
    http,
    log,
    onFull: (full) => send({ type: 'full', full }),
  });
  await seed.start();
  const files = await openFiles({ database, server, http, log });
  const gatewayId = server.gatewayId ?? (await loadOrMakeGatewayId(server.dataDir, (text) => log.warn({}, text)));
  const batches = new BatchService({
    database,
    gatewayId,
    blobs: files.blobsOf('batches'),
    settings: () => configuration.server,
    onWork: () => send({ type: 'batch-work' }),
    log,
  });
  await batches.start();
  const responses = new ResponseService(database, log);
  const requestLog = new RequestLogStore({
    database,
    gatewayId,
    blobs: files.blobsOf(BODIES_OWNER),
    settings: () => configuration.server,
    log,
  });
  const parts: Parts = {
    database,
    gatewayId,
    identity,
    ledger,
    files,
    batches,
    responses,
    secrets: new SecretService(identity, log),
    mcpRows: new McpRowService(database, identity, log),
    requestLog,
    admin: adminRoutesOf(database, identity, requestLog.read),
    async closeAll() {
      identity.close();
      const services = [seed.close(), batches.close(), responses.close(), requestLog.close(), files.close()];
      // A database that is silent keeps none of them longer: whatever they were doing is taken up by the next start.
      await Promise.race([Promise.all(services), delay(SERVICES_CLOSE_MS, undefined, { ref: false })]);
      await database.close();
    },
  };
  hear = (message) => onMessage(message, parts);
  send({ type: 'opened', opened: { hasIssuedKeys: anyKeys, journalFolder: ledger.journalFolder } });
  identity.begin((message) => send({ type: 'identity', message }));
  setInterval(() => void tellState(ledger), STATE_MS).unref();
  collectWhenIdle(() => counters.idleMark);
}

function onMessage(message: LaterMessage, parts: Parts): void {
  const { identity, ledger, files, batches } = parts;
  switch (message.type) {
    case 'records':
      for (const { frame, place } of message.frames) ledger.take(message.thread, new RecordFrame(frame), place);
      Atomics.add(taken, 0, 1);
      return;
    case 'news':
      identity.hear(message.news);
      ledger.hear(message.news);
      if (message.news.type === 'journal-room') void tellState(ledger);
      return;
    case 'thread-died':
      identity.threadDied(message.thread);
      ledger.threadDied(message.thread);
      files.threadDied(message.thread);
      batches.threadDied(message.thread);
      return;
    case 'thread-asks':
      void answerThread(message.message, parts);
      return;
    case 'reconfigure':
      ({ configuration } = message);
      identity.reconfigure(configuration);
      ledger.reconfigure(configuration);
      return;
    case 'refresh-budgets':
      ledger.refreshBudgets();
      return;
    case 'ask':
      answer(message.question, parts).then(
        (value) => send({ type: 'answer', number: message.number, value }),
        (error) => send({ type: 'thrown', number: message.number, thrown: thrownOf(error) }),
      );
  }
}

async function answerThread(
  message: Extract<ToDatabaseThread, { type: 'thread-asks' }>['message'],
  parts: Parts,
): Promise<void> {
  send({ type: 'for-thread', thread: message.thread, message: await threadAnswer(message, parts) });
}

type ForThread = Extract<FromDatabaseThread, { type: 'for-thread' }>['message'];

async function threadAnswer(
  message: Extract<ToDatabaseThread, { type: 'thread-asks' }>['message'],
  { files, batches, responses, secrets }: Parts,
): Promise<ForThread> {
  const { thread, number } = message;
  switch (message.type) {
    case 'files-ask':
      return { type: 'files-answer', number, answer: await files.answer(message.question) };
    case 'batches-ask':
      return { type: 'batches-answer', number, answer: await batches.answer(thread, message.question) };
    case 'responses-ask':
      return { type: 'responses-answer', number, answer: await responses.answer(message.question) };
    case 'secret-ask':
      return { type: 'secret-answer', number, answer: await secrets.answer(message.question) };
  }
}

/** As text: the main thread has it copied and sends it, and need not make it of a copied tree. */
function writtenAnswer({ json, ...answered }: AdminAnswer): AdminAnswer {
  return json === undefined ? answered : { ...answered, text: { type: JSON_TYPE, body: JSON.stringify(json) } };
}

async function answer(question: DatabaseQuestion, parts: Parts): Promise<unknown> {
  switch (question.kind) {
    case 'admin': {
      const { method, path, parameters, query, body, viewer } = question;
      const route = (await parts.admin()).find((each) => each.method === method && each.path === path);
      if (route === undefined) throw new Error(`the thread of the database has no route ${method} ${path}`);
      const answered = await route.handle({ parameters, query: new URLSearchParams(query), body, viewer });
      return answered instanceof GatewayError
        ? { code: answered.code, context: answered.context }
        : writtenAnswer(answered);
    }
    case 'admin-routes':
      return (await parts.admin()).map(({ handle: _handle, ...described }) => described);
    case 'birth':
      await parts.files.settled;
      return parts.identity.stateFor(question.thread);
    case 'mcp-rows':
      return parts.mcpRows.answer(question.question);
    case 'keep-bodies':
      return parts.requestLog.keep(question.rows);
    case 'audit':
      return appendAudit(parts.database, parts.gatewayId, question.entries);
    case 'close-ledger':
      return parts.ledger.close();
    case 'close':
      await parts.closeAll();
      // Behind the answer nothing is left that would keep the thread.
      setImmediate(() => port.close());
  }
}

/** Loaded where there is an admin key. */
function adminRoutesOf(database: Database, identity: Identity, readBodies: BodiesReader): Parts['admin'] {
  let routes: Promise<readonly AdminRoute[]> | undefined;
  return () => {
    routes ??= import('../operator/admin/admin-routes.ts').then(({ adminRoutes }) =>
      adminRoutes({
        database,
        identity,
        budgets: () => configuration.budgets,
        rateLimits: () => configuration.rateLimits,
        access: () => configuration,
        readBodies,
        read: (cell) => counts.read(cell, counts.clock.now()),
        freeAfterMs: (cell, limit) => counts.freeAfterMs(cell, limit, counts.clock.now()),
      }),
    );
    return routes;
  };
}

function tell(level: keyof Log, fields: object, message: string): void {
  const cloned = Object.entries(fields).map(([name, value]) => [
    name,
    value instanceof Error ? thrownOf(value) : structuredClone(value),
  ]);
  send({ type: 'log', level, fields: Object.fromEntries(cloned), message });
}

let told = { fullReason: undefined as string | undefined, metrics: '' };

/** Where something changed: a message that says nothing new would only wake the main thread. */
async function tellState({ fullReason }: LedgerService): Promise<void> {
  const metrics = await registry.render();
  if (metrics === told.metrics && fullReason === told.fullReason) return;
  told = { fullReason, metrics };
  send({ type: 'state', ...told });
}
