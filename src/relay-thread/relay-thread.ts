import { hostname } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { KeyRing } from '../authentication/authenticate.ts';
import { presentedKey } from '../authentication/presented-key.ts';
import type { Configuration } from '../config/configuration.ts';
import { epochMs, followWall } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import { Sweeper } from '../core/sweeper.ts';
import { MemoryCounters } from '../counters/memory-counters.ts';
import { RedisCounters } from '../counters/redis-counters.ts';
import { Edge, type Refusal } from '../edge/edge.ts';
import { runBeforeLastByte } from '../edge/response-sink.ts';
import { type Route, RouteTable } from '../edge/routes.ts';
import { RecordSender } from '../ledger/record-sender.ts';
import { createLimits } from '../limits/limits.ts';
import { TokenForecast } from '../limits/token-forecast.ts';
import { type PipelineOptions, type RefusedRequest, runInference, type Snapshot } from '../pipeline.ts';
import { DIALECTS, openAccounts } from '../plugs.ts';
import { Callers } from '../policy/caller.ts';
import type { Target } from '../providers/provider.ts';
import { ModelRoutes } from '../routing/model-routes.ts';
import { createLog } from '../telemetry/log.ts';
import { EventLoopProbe } from '../telemetry/thread-stats.ts';
import type { FromRelayThread, RelayThreadData, ToRelayThread } from '../threads/messages.ts';
import { SharedCounters } from '../threads/shared-counters.ts';
import { OriginPools } from '../upstream/origin-pools.ts';
import { catalogueHas, catalogueModels } from '../usage/price-catalogue.ts';
import { compilePrice, type Price } from '../usage/price-table.ts';
import { listModels, showModel } from './models-endpoint.ts';
import { TaskPool } from './task-pool.ts';

/** How often a relay thread says how it is doing. */
const STATS_MS = 500;

/** Targets whose price is remembered; an account that lists none has as many as its clients think of. */
const MAX_PRICES = 10_000;
const NO_KEY = new GatewayError('missing_api_key');
const ALIVE = Buffer.from('{"status":"ok","service":"sluice"}');

const data = workerData as RelayThreadData;
const port = parentPort!;
const send = (message: FromRelayThread, transfer: readonly ArrayBuffer[] = []): void =>
  port.postMessage(message, transfer);

const log = createLog(
  data.configuration.server.log.level,
  { write: (lines) => send({ type: 'log', line: String(lines) }) },
  data.thread,
);
const dialect = DIALECTS[0]!;
const sweeper = new Sweeper();
const tasks = new TaskPool();
const counters = new SharedCounters(data.threads, data.thread, data.counters);
const records = new RecordSender({
  thread: data.thread,
  journalFolder: data.journal?.folder,
  send,
  framesTaken: () => counters.framesTaken,
});
const { server } = data.configuration;
const pools = new OriginPools(server.limits, server.timeouts);
const keyRing = new KeyRing({
  configured: data.configuration.keys,
  issued: data.identity.keys,
  identities: data.configuration.identities,
  issuerKeys: data.identity.issuerKeys,
  onUnknownIssuerKey: (provider) => send({ type: 'issuer-key-unknown', provider }),
});
const NOTHING_KNOWN = { thread: data.thread, stream: false, attempts: 0, upstreamMs: 0, bytesIn: 0, bytesOut: 0 };
const NOTHING_ASKED: RefusedRequest = { model: undefined };
/** What is learned of models outlives a configuration. */
const forecast = new TokenForecast();
const counts = new MemoryCounters(data.counts, data.thread);
const redisCounts = server.store.counters === 'memory' ? undefined : countInRedis();
let ledgerFull = data.journal?.full ?? false;
if (server.ledger.sync === 'strict') runBeforeLastByte(() => records.writeJournal());
let snapshot = makeSnapshot(data.configuration);

const pipeline: PipelineOptions = {
  thread: data.thread,
  log,
  pools,
  sweeper,
  estimate: tasks.estimate,
  translateHeavy: tasks.translateHeavy,
  sharedMemory: counters,
  snapshot: () => snapshot,
  record: (record) => records.add(record),
  provisional: records.hasJournal ? (record) => records.add(record) : undefined,
  refusal: () => (ledgerFull ? ledgerFullError() : undefined),
  refused: recordRefused,
};

const edge = new Edge({
  settings: server,
  routes: new RouteTable([...inferenceRoutes(), ...plainRoutes()]),
  counters,
  authenticate: (head, side) => {
    const key = presentedKey(head.authorization, head.xApiKey, head.apiKey);
    return key === undefined ? NO_KEY : keyRing.lookup(key, side);
  },
  onRefused: recordRefusal,
  errorBody: dialect.errorBody,
});

// Whatever is thrown past all guards costs what it was about, not the thread: one that ends with open sockets takes the
// process down, and with it every stream.
process.on('uncaughtException', (error) => log.error({ error }, 'uncaught in a relay thread'));
process.on('unhandledRejection', (error) => log.error({ error }, 'unhandled in a relay thread'));

const probe = new EventLoopProbe();
setInterval(reportStats, STATS_MS).unref();
port.on('message', onMessage);
await redisCounts?.start();
const listening = await edge.listen(server.listen.host, server.listen.port);
send(listening === undefined ? { type: 'listen-failed' } : { type: 'listening', port: listening });

function onMessage(message: ToRelayThread): void {
  switch (message.type) {
    case 'reconfigure':
      reconfigure(message.configuration);
      return;
    case 'keys':
      keyRing.setIssued(message.news);
      send({ type: 'keys-known', thread: data.thread, number: message.number });
      return;
    case 'issuer-keys':
      keyRing.setIssuerKeys(message.set);
      return;
    case 'ledger-full':
      ledgerFull = message.full;
      return;
    case 'cut':
      edge.cutAll();
      return;
    case 'drain':
      drain();
  }
}

function reconfigure(configuration: Configuration): void {
  snapshot = makeSnapshot(configuration);
  keyRing.reconfigure(configuration);
  edge.reconfigure(configuration.server);
  redisCounts?.reconfigure(configuration.server.counters);
  log.level = configuration.server.log.level;
  pools.reconfigure(configuration.server.limits, configuration.server.timeouts, snapshot.routes.connections());
}

async function drain(): Promise<void> {
  await edge.drain();
  await tasks.close();
  await redisCounts?.stop();
  records.close();
  reportStats();
  pools.destroy();
  send({ type: 'drained' });
}

function countInRedis(): RedisCounters {
  const { thread, threads } = data;
  return new RedisCounters({
    url: server.store.counters,
    gatewayId: server.gatewayId ?? `${hostname()}-${process.pid}`,
    thread,
    threads,
    settings: server.counters,
    machine: counts,
    budgetTruth: server.ledger.enabled ? 'database' : 'redis',
    onAway: (reason) => send({ type: 'counters-away', thread, reason }),
    onBack: () => send({ type: 'counters-back', thread }),
  });
}

function makeSnapshot(configuration: Configuration): Snapshot {
  const prices = new Map<Target, Price>();
  const price = (target: Target): Price => {
    let known = prices.get(target);
    if (!known) {
      known = compilePrice(target.price);
      if (prices.size < MAX_PRICES) prices.set(target, known);
    }
    return known;
  };
  const catalogue = { models: catalogueModels, has: catalogueHas };
  return {
    settings: configuration.server,
    routes: new ModelRoutes(openAccounts(configuration), catalogue),
    callers: new Callers(configuration),
    limits: createLimits(configuration, {
      counters: redisCounts ?? counts,
      now: () => counts.clock.now(),
      price,
      forecast,
    }),
    price,
  };
}

function inferenceRoutes(): Route[] {
  return DIALECTS.flatMap((each) =>
    each.paths.map(
      (path): Route => ({
        path,
        method: 'POST',
        needsKey: true,
        scan: each.scan,
        handle: (exchange) => runInference(exchange, each, pipeline),
        errorBody: each.errorBody,
      }),
    ),
  );
}

function plainRoutes(): Route[] {
  const { errorBody } = dialect;
  const plain = (path: string, needsKey: boolean, answer: (exchange: Exchange) => GatewayError | undefined): Route => ({
    path,
    method: 'GET',
    needsKey,
    errorBody,
    handle: (exchange) => {
      const error = answer(exchange);
      if (error) {
        exchange.refuse(error);
        recordRefused(exchange, error, NOTHING_ASKED);
      } else recordPlain(exchange);
      exchange.finish();
    },
  });
  return [
    plain('/models', true, (exchange) =>
      listModels(exchange, snapshot.callers.of(exchange.principal), snapshot.routes),
    ),
    plain('/models/', true, (exchange) =>
      showModel(exchange, snapshot.callers.of(exchange.principal), snapshot.routes),
    ),
    plain('/openapi.json', false, (exchange) => answerJson(exchange, data.openapi)),
    plain('/', false, (exchange) => answerJson(exchange, ALIVE)),
  ];
}

function answerJson(exchange: Exchange, body: Uint8Array): undefined {
  const headers = ['content-type', 'application/json'];
  exchange.pushOwnHeaders(headers, 0);
  exchange.sink.start(200, headers);
  exchange.sink.end(body);
}

function recordRefusal(refusal: Refusal, request = NOTHING_ASKED): void {
  const { id, requestId, method, path, startedAt, principal, error } = refusal;
  const durationMs = performance.now() - startedAt;
  if (error.code === 'internal_error') log.error({ exchange: id, error: error.context.cause }, error.message);
  records.add({
    ...NOTHING_KNOWN,
    id,
    requestId,
    method,
    path,
    startedAt: epochMs(startedAt),
    durationMs,
    overheadMs: durationMs,
    status: error.status,
    outcome: 'error',
    errorCode: error.code,
    errorDetail: error.context.detail ?? error.context.setting,
    subject: principal?.subject,
    keyId: principal?.keyId,
    ...request,
    rulesJson: error.context.rulesJson,
  });
}

function recordRefused(exchange: Exchange, error: GatewayError, request: RefusedRequest): void {
  recordRefusal({ ...labelsOf(exchange), principal: exchange.principal, error }, request);
}

function recordPlain(exchange: Exchange): void {
  const durationMs = performance.now() - exchange.startedAt;
  records.add({
    ...NOTHING_KNOWN,
    ...labelsOf(exchange),
    startedAt: epochMs(exchange.startedAt),
    durationMs,
    overheadMs: durationMs,
    status: 200,
    outcome: 'ok',
    subject: exchange.principal.subject,
    keyId: exchange.principal.keyId,
    bytesOut: exchange.sink.bytesOut,
  });
}

function labelsOf(exchange: Exchange): Pick<Exchange, 'id' | 'requestId' | 'method' | 'path' | 'startedAt'> {
  const { id, requestId, method, path, startedAt } = exchange;
  return { id, requestId, method, path, startedAt };
}

function ledgerFullError(): GatewayError {
  const { maxJournalBytes } = snapshot.settings.ledger;
  return new GatewayError('ledger_full', {
    setting: `ledger.max_journal_bytes: ${maxJournalBytes}`,
    retryAfterMs: 5_000,
  });
}

function reportStats(): void {
  followWall(Date.now());
  records.tick();
  send({
    type: 'stats',
    stats: {
      thread: data.thread,
      ...probe.read(),
      upstreamConnections: pools.connected,
      upstreamQueued: pools.queued,
      recordsDropped: records.dropped,
      countersAwayRequests: redisCounts?.awayRequests ?? 0,
      settlementsDropped: redisCounts?.droppedSettlements ?? 0,
    },
  });
}
