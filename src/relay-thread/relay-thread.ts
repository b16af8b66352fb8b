import { join } from 'node:path';
import { type MessagePort, parentPort } from 'node:worker_threads';
import { KeyRing } from '../authentication/authenticate.ts';
import { tokenSchemas } from '../authentication/key-verdict.ts';
import { tokenResources } from '../authentication/outside-tokens.ts';
import { presentedKey } from '../authentication/presented-key.ts';
import type { Configuration } from '../config/configuration.ts';
import { followWall } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import { runToEnd } from '../core/steps.ts';
import { Sweeper } from '../core/sweeper.ts';
import { MemoryCounters } from '../counters/memory-counters.ts';
import { Edge } from '../edge/edge.ts';
import type { RequestHead } from '../edge/request-head.ts';
import { runBeforeLastByte } from '../edge/response-sink.ts';
import { blobsOf } from '../files/blobs-of.ts';
import { RecordSender } from '../ledger/record-sender.ts';
import type { PipelineOptions, Snapshot } from '../pipeline/pipeline-options.ts';
import { dialects as allDialects, PASSED_AT } from '../plugs.ts';
import { createLog } from '../telemetry/log.ts';
import { EventLoopProbe } from '../telemetry/thread-stats.ts';
import type { FromRelayThread, RelayThreadBirth, ToRelayThread } from '../threads/messages.ts';
import { plainGlobals } from '../threads/plain-globals.ts';
import { SharedCounters } from '../threads/shared-counters.ts';
import { collectWhenIdle } from '../threads/steady-heap.ts';
import { OriginPools } from '../upstream/origin-pools.ts';
import { pooledClient } from '../upstream/pooled-client.ts';
import { sideRequests } from '../upstream/side-requests.ts';
import { authenticateHead } from './authenticate-head.ts';
import { BackgroundResponses } from './background-responses.ts';
import { batchEndpoints, batchRunner } from './batch-endpoints.ts';
import { BatchRows } from './batch-rows.ts';
import { SecretSigner } from './client-secrets-endpoint.ts';
import { CredentialWarnings } from './credential-warnings.ts';
import { routeTable } from './endpoints.ts';
import { FileRows } from './file-rows.ts';
import { headersOfInterest } from './headers-of-interest.ts';
import { LedgerRoom } from './ledger-room.ts';
import { McpGate } from './mcp-gate.ts';
import { mediaFetcher } from './media-fetcher.ts';
import { ModelClassifier } from './model-classifier.ts';
import { OwnDocument } from './own-document.ts';
import { ModelVectors } from './prompt-vectors.ts';
import { realtimeSockets } from './realtime-sockets.ts';
import { bornWith, Reconfiguration } from './reconfiguration.ts';
import { RefusalRecords } from './refusal-records.ts';
import { RequestLogSender } from './request-log-sender.ts';
import { ResponseRows } from './response-rows.ts';
import { responsesSocket } from './responses-socket.ts';
import { Shadows } from './shadows.ts';
import { lastingOf, snapshotInSteps, toolLimits } from './snapshot.ts';
import { TargetProbes } from './target-probes.ts';
import { TaskPool } from './task-pool.ts';
import { threadCache } from './thread-cache.ts';
import { openAnswersInRedis, openCountsInRedis } from './thread-redis.ts';
import { warmUp } from './warm-up.ts';

/** How often a relay thread sends its gauges. */
const STATS_MS = 500;

plainGlobals();
const port = parentPort!;
type LaterMessage = Exclude<ToRelayThread, { type: 'begin' }>;

/** Messages that come before this thread can act upon them. */
const early: LaterMessage[] = [];
let hear = (message: LaterMessage): void => void early.push(message);
// Its modules are loaded by now; it begins with what the first message brings.
const birth = await new Promise<RelayThreadBirth>((resolve) => {
  port.on('message', (message: ToRelayThread) => {
    if (message.type === 'begin') resolve(message.data);
    else hear(message);
  });
});
const { data, pieces } = bornWith(birth);
const send = (message: FromRelayThread, transfer: readonly (ArrayBuffer | MessagePort)[] = []): void =>
  port.postMessage(message, transfer);

const log = createLog(
  data.configuration.server.log.level,
  { write: (lines) => send({ type: 'log', line: String(lines) }) },
  data.thread,
);
const dialects = allDialects();
const { errorBody } = dialects[0]!;
const sweeper = new Sweeper();
const tasks = new TaskPool();
const counters = new SharedCounters(data.threads, data.thread, data.counters);
const records = new RecordSender({
  thread: data.thread,
  journalFolder: data.journal?.folder,
  send,
  framesTaken: () => counters.framesTaken,
  openExchanges: () => counters.ownInFlight,
  sync: data.configuration.server.ledger.sync,
});
const { server } = data.configuration;
const pools = new OriginPools(server.limits, server.timeouts, server.upstream);
if (data.hasIssuedKeys) tokenSchemas();
const keyRing = new KeyRing({
  configured: data.configuration.keys,
  issued: data.identity.keys,
  identities: data.configuration.identities,
  issuerKeys: data.identity.issuerKeys,
  resources: tokenResources(server.mcp),
  onUnknownIssuerKey: (provider) => send({ type: 'issuer-key-unknown', provider }),
});
const refusals = new RefusalRecords({ thread: data.thread, log, add: (record) => records.add(record) });
const counts = new MemoryCounters(data.counts, data.thread);
const redis = { data, send, settings: () => snapshot.settings };
const redisCounts = await openCountsInRedis(redis, counts);
const tokens = new Map(data.tokens.map((token) => [token.id, token]));
const lasting = lastingOf(data, {
  counters: redisCounts ?? counts,
  now: () => counts.clock.now(),
  tokens,
  guardHttp: pooledClient(pools),
  guardElsewhere: tasks.guards,
  onBudgetRefuses: (window, action) => send({ type: 'budget-refuses', window, action }),
});
let { configuration } = data;
const make = (next: Configuration) => snapshotInSteps(next, lasting);
let snapshot = runToEnd(make(configuration));
const ledgerRoom = new LedgerRoom(records, () => snapshot.settings.ledger, data.journal?.full ?? false);
if (server.ledger.sync !== 'batched') runBeforeLastByte(() => records.writeJournal() || !ledgerRoom.refuses);

const answersInRedis = await openAnswersInRedis(redis);
const cache = threadCache({
  data,
  send,
  remote: answersInRedis,
  sharedMemory: counters,
  vectors: new ModelVectors({
    dialect: dialects.find(({ operation }) => operation === 'embedding')!,
    pipeline: () => pipeline,
    model: () => configuration.semanticCacheModel,
    limits: () => snapshot.settings.cache.semantic,
  }),
  searchElsewhere: tasks.searchVectors,
});

const requestLog = new RequestLogSender({
  thread: data.thread,
  threads: data.threads,
  bounds: () => snapshot.settings.requestLog,
  wantsRecords: () => snapshot.bodies?.sendsRecords === true,
  send,
});

const shadows = new Shadows(() => pipeline);

const pipeline: PipelineOptions = {
  thread: data.thread,
  log,
  pools,
  sweeper,
  estimate: tasks.estimate,
  translateHeavy: tasks.translateHeavy,
  heavyAnswers: tasks.heavyAnswers,
  fetchMedia: mediaFetcher(),
  sharedMemory: counters,
  cache: cache.answers,
  spoolFolder: join(server.dataDir, 'uploads'),
  snapshot: () => snapshot,
  record: (record) => records.add(record),
  provisional: records.hasJournal ? (record) => records.add(record) : undefined,
  refusal: () => ledgerRoom.refusal(),
  credentialRefused: new CredentialWarnings(log, () => snapshot.settings.log.providerWords).refused,
  refused: refusals.refused,
  requestLog,
  shadow: shadows.copy,
  classifier: new ModelClassifier({
    dialect: dialects.find(({ operation }) => operation === 'chat')!,
    pipeline: () => pipeline,
    memory: lasting.health.tiers,
  }),
};

/** Probes are made in one thread alone. */
const probes =
  data.thread === 0
    ? new TargetProbes({
        pipeline: () => pipeline,
        routes: () => snapshot.routes.balanced?.virtual ?? [],
        dialects,
        now: lasting.health.now,
      })
    : undefined;
probes?.reconfigure(server.routing);

const mcp = new McpGate({
  configuration: data.configuration,
  limits: (configuration) => toolLimits(configuration, lasting),
  pipeline,
  keyOf: ({ headers }) => {
    const { authorization, xApiKey, apiKey } = headers as RequestHead;
    return presentedKey(authorization, xApiKey, apiKey);
  },
  want: () => send({ type: 'mcp-wanted', thread: data.thread }),
});

const document = new OwnDocument({ thread: data.thread, send });
const fileRows = new FileRows({ thread: data.thread, send });
const files = {
  rows: fileRows,
  blobs: blobsOf(
    server,
    String(data.thread),
    sideRequests(() => snapshot.settings.upstream),
  ),
  records: refusals,
  sharedMemory: counters,
  settings: () => snapshot.settings,
};

const secrets = new SecretSigner({ thread: data.thread, send });
const responseRows = new ResponseRows({ thread: data.thread, send });
const background = new BackgroundResponses({ rows: responseRows, pipeline, records: refusals, counters, log });
const batchRows = new BatchRows({ thread: data.thread, send });
const endpoints = batchEndpoints(dialects);
const batches = batchRunner({
  thread: data.thread,
  threads: data.threads,
  endpoints,
  pipeline,
  rows: batchRows,
  blobs: files.blobs,
  counters,
  log,
  refusal: (principal) => keyRing.withdrawn(principal),
});

const renewed = (principal: Parameters<typeof keyRing.renewed>[0]) => keyRing.renewed(principal);
const edge = new Edge({
  settings: server,
  routes: routeTable({
    dialects,
    pipeline,
    records: refusals,
    files,
    mcp,
    oauth: {
      settings: () => snapshot.settings,
      issuers: () => configuration.identities.identityProviders,
      callerOf: (principal) => snapshot.callers.of(principal),
      signIn: (key, side) => keyRing.signIn(key, side),
      isGood: (token, address) => !(keyRing.lookupAt(address, token) instanceof GatewayError),
    },
    onAgentRun: (run) => send({ type: 'agent-over', run }),
    batches: { rows: batchRows, endpoints, files },
    responses: { rows: responseRows, records: refusals, pipeline, background },
    secrets: { pipeline, signer: secrets, originOf: (principal) => keyRing.originOf(principal) },
    proxy: { ...pipeline, dialects, forms: dialects },
    passedAt: PASSED_AT,
    document,
    errorBody,
  }),
  sockets: [
    ...dialects
      .filter(({ conversation }) => conversation)
      .map((dialect) => responsesSocket({ dialect, responses: { rows: responseRows, pipeline }, counters, renewed })),
    ...realtimeSockets({ dialect: dialects[0]!, pipeline, counters, renewed }),
  ],
  forwardable: headersOfInterest(data.configuration),
  counters,
  authenticate: authenticateHead(keyRing, () => snapshot.settings),
  onRefused: refusals.turnedAway,
  errorBody,
});

// An error past all guards costs what it was about, not the thread: a thread that ends with open sockets takes the process
// down, and with it every stream.
process.on('uncaughtException', (error) => log.error({ error }, 'uncaught in a relay thread'));
process.on('unhandledRejection', (error) => log.error({ error }, 'unhandled in a relay thread'));

const reconfiguration = new Reconfiguration({ log, pieces, send, make, take: reconfigure });
const probe = new EventLoopProbe();
setInterval(reportStats, STATS_MS).unref();
collectWhenIdle(() => counters.idleMark);
hear = onMessage;
for (const message of early) onMessage(message);
await Promise.all([redisCounts?.start(), answersInRedis?.start()]);
await warmUp({ configuration: data.configuration, dialects, shared: pipeline });
const listening = await edge.listen(server.listen.host, server.listen.port);
send(listening === undefined ? { type: 'listen-failed' } : { type: 'listening', port: listening });

function onMessage(message: LaterMessage): void {
  switch (message.type) {
    case 'reconfigure':
      reconfiguration.begin(message);
      return;
    case 'configured-keys':
      configuration = { ...configuration, keys: message.keys };
      reconfiguration.keysCame(message.keys);
      takeKeys();
      return;
    case 'keys':
      keyRing.setIssued(message.news);
      send({ type: 'keys-known', thread: data.thread, number: message.number });
      tokenSchemas();
      return;
    case 'issuer-keys':
      keyRing.setIssuerKeys(message.set);
      return;
    case 'tokens':
      tokens.clear();
      for (const token of message.tokens) tokens.set(token.id, token);
      return;
    case 'openapi':
      document.hear(message);
      return;
    case 'files-answer':
      fileRows.hear(message);
      return;
    case 'secret-answer':
      secrets.hear(message);
      return;
    case 'responses-answer':
      responseRows.hear(message);
      return;
    case 'request-log-taken':
      requestLog.release(message.bytes);
      return;
    case 'batches-answer':
      batchRows.hear(message);
      return;
    case 'batch-work':
      batches.wake();
      return;
    case 'ledger-full':
      ledgerRoom.setFull(message.full);
      return;
    case 'flight-port':
      cache.flights?.serve(message.port);
      return;
    case 'mcp':
      mcp.connect(message.port);
      return;
    case 'cut':
      edge.cutAll();
      batches.cut();
      background.cut();
      return;
    case 'drain':
      drain();
  }
}

function takeKeys(): void {
  keyRing.reconfigure(configuration, tokenResources(configuration.server.mcp));
}

function reconfigure(next: Configuration, made: Snapshot): void {
  configuration = next;
  snapshot = made;
  takeKeys();
  edge.reconfigure(configuration.server, headersOfInterest(configuration));
  mcp.reconfigure(configuration);
  probes?.reconfigure(configuration.server.routing);
  redisCounts?.reconfigure(configuration.server.counters);
  log.level = configuration.server.log.level;
  const { limits, timeouts, upstream } = configuration.server;
  pools.reconfigure(limits, timeouts, snapshot.routes.connections(), upstream);
  ledgerRoom.reconfigure();
}

async function drain(): Promise<void> {
  shadows.close();
  probes?.close();
  mcp.drain();
  await Promise.all([edge.drain(), batches.stop(), background.stop()]);
  mcp.close();
  await tasks.close();
  await redisCounts?.stop();
  answersInRedis?.close();
  requestLog.flush();
  records.close();
  reportStats();
  pools.destroy();
  send({ type: 'drained' });
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
