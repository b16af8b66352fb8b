import { hash, randomBytes } from 'node:crypto';
import { KeyRing } from '../authentication/authenticate.ts';
import { presentedKey } from '../authentication/presented-key.ts';
import type { Configuration } from '../config/configuration.ts';
import { packKeys } from '../config/packed-keys.ts';
import { GatewayError } from '../core/errors.ts';
import { Sweeper } from '../core/sweeper.ts';
import { MemoryCounters, sharedCounts } from '../counters/memory-counters.ts';
import type { Dialect, FormExercise } from '../dialects/dialect.ts';
import { Edge } from '../edge/edge.ts';
import { RouteTable } from '../edge/routes.ts';
import { RecordSender } from '../ledger/record-sender.ts';
import { createLimits } from '../limits/limits.ts';
import { TokenForecast } from '../limits/token-forecast.ts';
import { runInference } from '../pipeline/pipeline.ts';
import type { PipelineOptions, Snapshot } from '../pipeline/pipeline-options.ts';
import { openAccounts } from '../plugs.ts';
import { Callers } from '../policy/caller.ts';
import type { Connection, Mount, ProviderAccount, Target } from '../providers/provider.ts';
import { mountFor, plainFormOf } from '../relay/choose-mount.ts';
import { ModelRoutes } from '../routing/model-routes.ts';
import { SharedCounters } from '../threads/shared-counters.ts';
import { OriginPools } from '../upstream/origin-pools.ts';
import { compilePrice } from '../usage/price-table.ts';
import { answersRead, type CannedProvider, cannedProvider } from './canned-exchanges.ts';
import { headersOfInterest } from './headers-of-interest.ts';

/** Accounts that are looked through for one whose provider speaks the form of a client. */
const MAX_ACCOUNTS = 4;
/** Behind them V8 compiles little that is new; the optimizing compiler wants hundreds. */
const MAX_EXCHANGES = 8;
const HOST = '127.0.0.1';
/** No other account is there, and no request has this name. */
const NAME = 'warm-up';
const MODEL = `${NAME}/${NAME}`;

export interface WarmUpOptions {
  readonly configuration: Configuration;
  readonly dialects: readonly Dialect[];
  /** What a pipeline cannot be without, and the exercises never come to. */
  readonly shared: Shared;
}

type Shared = Pick<PipelineOptions, 'estimate' | 'translateHeavy' | 'heavyAnswers' | 'spoolFolder' | 'log'>;

/**
 * Sends chats of its own through the code that those of clients will take, from a socket to a provider of its own and
 * back, so that the first client does not wait until V8 has compiled it (25 to 35 ms of CPU; the next ten 3 ms each).
 * Whatever would tell of them is another instance: edge, key, counts, connections, records. Nothing is counted, written
 * or sent beyond this thread, and no secret of the configuration is used. Ends after `warm_up_ms` of CPU, and when
 * anything fails. Resolves with how many chats there were.
 */
export async function warmUp(options: WarmUpOptions): Promise<number> {
  const maxMs = options.configuration.server.warmUpMs;
  if (maxMs === 0) return 0;
  const budget = new Budget(maxMs);
  // Whatever hangs: the thread has to listen.
  const late = Promise.withResolvers<number>();
  const timer = setTimeout(late.resolve, 2 * budget.maxWaitMs, 0);
  try {
    return await Promise.race([exercised(options, budget), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

async function exercised({ configuration, dialects, shared }: WarmUpOptions, budget: Budget): Promise<number> {
  let provider: CannedProvider | undefined;
  let thread: Rehearsal | undefined;
  try {
    const found = somethingToAsk(configuration, dialects);
    if (found === undefined) return 0;
    const { dialect, target, mount, exercise } = found;
    provider = await cannedProvider(HOST, budget.maxWaitMs);
    const connection = { origin: `http://${HOST}:${provider.port}`, credential: NAME };
    thread = new Rehearsal(configuration, dialect, standIn(target, mount, connection), shared);
    return await thread.run(provider, exercise, budget);
  } catch (error) {
    // A machine without a loopback, say. The thread serves as well, and its first request takes longer.
    shared.log.debug({ error }, 'a relay thread did not warm up');
    return 0;
  } finally {
    await thread?.close();
    provider?.close();
  }
}

/** The first account whose provider speaks a form that has an exercise. */
function somethingToAsk({ accounts, server }: Configuration, dialects: readonly Dialect[]) {
  for (const account of accounts.slice(0, MAX_ACCOUNTS)) {
    const [opened] = openAccounts({ accounts: [account], server: { ...server, demo: false } }, new Map());
    const target = opened?.listed[0] ?? opened?.target(NAME);
    for (const dialect of dialects) {
      const exercise = dialect.exercise?.(MODEL);
      if (target === undefined || exercise === undefined) continue;
      const mount = mountFor(target, dialect);
      if (mount && plainFormOf(mount.wire) === dialect.name && mount.wire.framing === 'sse')
        return { dialect, target, mount, exercise };
    }
  }
  return undefined;
}

/** An account whose one target is as that one, at another address and without its secret. */
function standIn(target: Target, mount: Mount, connection: Connection): ProviderAccount {
  const credential = {
    poolKey: NAME,
    sign: () => ['authorization', 'Bearer none'],
    redact: (words: string) => words,
  };
  const asked: Target = {
    ...target,
    id: MODEL,
    account: NAME,
    modelTypes: undefined,
    mounts: new Map([[mount.wire.operation, [{ ...mount, connection, credential }]]]),
  };
  const { provider } = target;
  const nothing = { exampleModel: undefined, catalogueId: undefined };
  return {
    name: NAME,
    type: NAME,
    provider,
    ...nothing,
    connections: [connection],
    listed: [asked],
    target: () => asked,
  };
}

/** Patterns of each sort, so that what compares them is compiled as well. */
const EVERYTHING = {
  subjects: { in: [`virtualaccount:${NAME}`, 'team:*'] },
  models: { in: [`${NAME}/*`], notIn: [NAME] },
};

/** Rules and a budget of which one each matches every request and refuses none. */
const LIMITS: Parameters<typeof createLimits>[0] = {
  rateLimits: [
    [
      {
        id: `${NAME}-others`,
        match: { metadata: { env: { in: [NAME] } } },
        counts: 'requests',
        unit: 'requests_per_minute',
        windowMs: 60_000,
        limit: 1,
        appliesPer: [],
      },
      {
        id: NAME,
        match: EVERYTHING,
        counts: 'tokens',
        unit: 'tokens_per_minute',
        windowMs: 60_000,
        limit: 1e12,
        appliesPer: ['virtualaccount', 'model'],
      },
    ],
  ],
  budgets: [
    {
      id: NAME,
      match: {},
      limits: [{ unit: 'cost_per_day', counts: 'cost', period: 'day', amount: 1e15 }],
      appliesPer: ['virtualaccount'],
      overrides: [],
      mode: 'enforce',
    },
  ],
};

/** On a machine whose cores are all busy a thread gets its CPU time later, and a start does not wait for all of it. */
const WALL_PER_CPU = 5;

class Budget {
  readonly maxWaitMs: number;
  readonly #maxCpuUs: number;
  readonly #startedAt = performance.now();
  readonly #usedBefore = process.threadCpuUsage();

  constructor(maxCpuMs: number) {
    this.#maxCpuUs = maxCpuMs * 1000;
    this.maxWaitMs = maxCpuMs * WALL_PER_CPU;
  }

  get isSpent(): boolean {
    const { user, system } = process.threadCpuUsage(this.#usedBefore);
    return user + system > this.#maxCpuUs || performance.now() - this.#startedAt > this.maxWaitMs;
  }
}

/** What a relay thread is made of, once more, and so small that it serves one model. */
class Rehearsal {
  readonly #key = randomBytes(24).toString('hex');
  readonly #edge: Edge;
  readonly #pools: OriginPools;
  readonly #records: RecordSender;
  readonly #dialect: Dialect;

  constructor(
    configuration: Configuration,
    dialect: Dialect,
    account: ProviderAccount,
    { estimate, translateHeavy, heavyAnswers, spoolFolder }: Shared,
  ) {
    const { listen, limits, timeouts } = configuration.server;
    const { tls: _tls, ...plain } = listen;
    const settings = { ...configuration.server, listen: plain };
    this.#dialect = dialect;
    this.#pools = new OriginPools(limits, timeouts);
    const sharedMemory = new SharedCounters(1, 0);
    const counts = new MemoryCounters(sharedCounts({ relayThreads: 1, maxCells: 64, maxInFlight: 16 }), 0);
    const target = account.listed[0]!;
    const price = compilePrice(target.price);
    const hasLimits = configuration.rateLimits.length > 0 || configuration.budgets.length > 0;
    const snapshot: Snapshot = {
      settings,
      routes: new ModelRoutes([account], { models: () => [], has: () => false }),
      callers: new Callers({ accounts: [], identities: NO_IDENTITIES, metadataRules: [] }),
      limits: createLimits(hasLimits ? LIMITS : { rateLimits: [], budgets: [] }, {
        counters: counts,
        now: () => counts.clock.now(),
        price: () => price,
        forecast: new TokenForecast(),
      }),
      exportsTraces: false,
      price: () => price,
    };
    // Without a folder: the journal of the ledger holds what clients asked.
    const records = new RecordSender({ thread: 0, journalFolder: undefined, send: () => {}, framesTaken: () => 0 });
    this.#records = records;
    const pipeline: PipelineOptions = {
      estimate,
      translateHeavy,
      heavyAnswers,
      spoolFolder,
      log: SILENT,
      thread: 0,
      pools: this.#pools,
      sweeper: new Sweeper(),
      sharedMemory,
      snapshot: () => snapshot,
      record: (record) => records.add(record),
      provisional: undefined,
      refusal: () => undefined,
      credentialRefused: () => {},
      refused: () => {},
    };
    const { scan, errorBody, routes } = dialect;
    const route = {
      needsKey: true,
      body: 'whole' as const,
      errorBody,
      scan,
      handle: (exchange: Parameters<typeof runInference>[0]) => runInference(exchange, dialect, pipeline),
    };
    const keySha256 = hash('sha256', this.#key);
    const known = { name: NAME, keySha256, subject: `virtualaccount:${NAME}`, teams: [], metadata: {} };
    const keyRing = new KeyRing({
      configured: packKeys([known]),
      issued: { startsAnew: true, notes: [], signingKeys: [] },
    });
    this.#edge = new Edge({
      settings,
      routes: new RouteTable(routes.map(({ method, pattern }) => ({ ...route, method, pattern }))),
      forwardable: headersOfInterest(configuration),
      counters: sharedMemory,
      authenticate: ({ authorization, xApiKey, apiKey, vendorKey }, side) => {
        const key = presentedKey(authorization, xApiKey, apiKey, vendorKey);
        return key === undefined ? new GatewayError('missing_api_key') : keyRing.lookup(key, side);
      },
      onRefused: () => {},
      errorBody,
    });
  }

  /** Whole answers and streams in turn, one at a time on one connection. */
  async run(provider: CannedProvider, exercise: FormExercise, budget: Budget): Promise<number> {
    const port = await this.#edge.listen(HOST, 0);
    if (port === undefined) return 0;
    const path = `/v1${this.#dialect.routes[0]!.pattern}`;
    const client = answersRead({ host: HOST, port, path, key: this.#key, maxMs: budget.maxWaitMs });
    let done = 0;
    try {
      for (; done < MAX_EXCHANGES && !budget.isSpent; done += 1) {
        const asked = done % 2 === 0 ? exercise.whole : exercise.streamed;
        provider.next(asked.answer);
        await client.ask(asked.request);
      }
      return done;
    } finally {
      client.close();
    }
  }

  async close(): Promise<void> {
    this.#records.close();
    this.#pools.destroy();
    await this.#edge.drain();
  }
}

/** Nothing is told of these exchanges. */
const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const NO_IDENTITIES = { users: [], teams: [], virtualAccounts: [], identityProviders: [], grants: [] };
