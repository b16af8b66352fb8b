import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { configurationPaths, type Environment } from '../../../src/config/environment.ts';
import { type LoadOptions, loadConfiguration } from '../../../src/config/load.ts';
import { everyKey, packKeys } from '../../../src/config/packed-keys.ts';
import { configurationOf, exampleKind, loadText, manifestFolder } from './manifest-folder.ts';

const nothing: LoadOptions = { paths: [], environment: {}, kinds: [exampleKind], wellKnown: [] };

function load(options: Partial<LoadOptions>) {
  return loadConfiguration({ ...nothing, ...options });
}

test('every setting has its default when nothing is configured', () => {
  const result = load({ overrides: { threads: 3 } });
  assert.ok('configuration' in result);
  assert.deepEqual(result.configuration, {
    server: {
      listen: { host: '127.0.0.1', port: 8787, trustedProxies: [], closeAfterAnswer: false },
      operator: { host: '127.0.0.1', port: 8788 },
      console: { enabled: true, roles: [], sessionMs: 43_200_000, idleMs: 3_600_000 },
      warmUpMs: 100,
      threads: 3,
      dataDir: resolve('data'),
      store: { database: 'sqlite', counters: 'memory', blobs: 'disk', cache: 'memory' },
      limits: {
        maxBodyBytes: 33554432,
        maxFileBytes: 536870912,
        maxBodyMemoryBytes: 1073741824,
        maxHeaderBytes: 16384,
        maxInFlight: 16384,
        highWatermarkBytes: 65536,
        maxUpstreamConnections: 16384,
        maxUpstreamQueue: 4096,
        maxTranslateBytes: 33554432,
        maxEventBytes: 16777216,
      },
      timeouts: {
        bodyMs: 30000,
        uploadMs: 3600000,
        connectMs: 5000,
        firstByteMs: 600000,
        idleMs: 120000,
        totalMs: 0,
        writeMs: 60000,
        drainMs: 30000,
        keepAliveMs: 75000,
      },
      upstream: { proxies: {}, noProxy: [] },
      media: { maxFiles: 8, maxBytes: 20_971_520, timeoutMs: 15_000, maxConcurrent: 16, privateHosts: [] },
      log: { level: 'info', access: 'all', providerWords: 'keep' },
      keepaliveCommentMs: 15000,
      demo: 'auto',
      retryReusedConnection: true,
      counters: { agreement: 'strict', leasePercent: 5, timeoutMs: 250, whenAway: 'local', maxCells: 65536 },
      files: { sharedWith: 'nobody' },
      batches: { maxConcurrency: 64, maxAttempts: 4 },
      realtime: { maxSessionMs: 3_600_000, setupMs: 10_000, silenceMs: 30_000, maxWaitingBytes: 8_388_608 },
      responses: { keep: true, keepMs: 2_592_000_000, maxBytes: 4_194_304, maxEventBytes: 16_777_216 },
      cache: {
        maxBytes: 67_108_864,
        maxEntryBytes: 1_048_576,
        timeoutMs: 100,
        semantic: {
          maxEntries: 16_384,
          maxBytes: 67_108_864,
          maxRedisEntries: 256,
          embeddingTimeoutMs: 1_000,
          maxConcurrentEmbeddings: 64,
          maxMessages: 3,
          maxTextBytes: 8_192,
        },
      },
      ledger: {
        enabled: true,
        sync: 'batched',
        whenFull: 'refuse',
        retentionDays: 90,
        hourlyRetentionDays: 400,
        auditRetentionDays: 400,
        metadataKeys: [],
        maxJournalBytes: 4294967296,
      },
      metrics: { metadataKeys: [] },
      routing: {
        consecutiveFailures: 3,
        failurePercent: 50,
        minRequests: 10,
        windowMs: 120_000,
        outMs: 10_000,
        maxOutMs: 300_000,
        slowStartMs: 30_000,
        retryBudgetPercent: 20,
        shareMs: 250,
        probeIntervalMs: 0,
        probeTimeoutMs: 10_000,
        maxProbes: 4,
      },
      otel: {
        sampleRatio: 1,
        names: 'genai',
        maxQueuedSpans: 8192,
        timeoutMs: 10_000,
        metricsIntervalMs: 10_000,
      },
      requestLog: {
        maxBodyBytes: 65_536,
        retentionDays: 30,
        store: 'database',
        maxQueuedBytes: 67_108_864,
        maxQueuedWebhooks: 1000,
        redact: [],
      },
      mcp: {
        callMs: 120_000,
        connectMs: 10_000,
        sessionIdleMs: 1_800_000,
        maxSessions: 10_000,
        maxMessageBytes: 4_194_304,
        maxTools: 1000,
        listTtlMs: 60_000,
        maxChildren: 64,
        authorizationServers: ['sluice'],
        tokenMs: 900_000,
        signInMs: 2_592_000_000,
        codeMs: 60_000,
        codeCpuMs: 2000,
        maxCodeMemoryBytes: 67_108_864,
        maxCodeCalls: 100,
        maxCodeRuns: 4,
        onChangedTool: 'warn',
      },
    },
    keys: packKeys([]),
    accounts: [],
    identities: { users: [], teams: [], virtualAccounts: [], identityProviders: [], grants: [] },
    metadataRules: [],
    otel: [],
    rateLimits: [],
    budgets: [],
    virtualModels: [],
    loadBalancing: [],
    fallbackRules: [],
    guards: [],
    guardrailRules: [],
    guardrailSettings: { timeoutMs: 5_000, parallel: true },
    retrySettings: undefined,
    bodyLogging: undefined,
    semanticCacheModel: undefined,
    loggingRules: [],
    dataRoutes: [],
    dataAccess: [],
    tracingProjects: [],
    requestLoggers: [],
    cacheRules: [],
    mcpServers: [],
  });
  assert.deepEqual(result.warnings, []);
});

test('a whole configuration in several documents is read as it is written', (t) => {
  const loaded = loadText(
    t,
    `type: sluice/server
listen: {host: 0.0.0.0, port: 9000}
threads: 2
data_dir: ./state
limits: {max_body_bytes: 1000}
timeouts: {idle_ms: 0}
log: {access: off}
demo: false
cors: {allowed_origins: ["https://app.example.com"]}
---
type: sluice/api-keys
keys:
  - {name: ci, key: "a key with spaces", subject: "virtualaccount:ci"}
  - {name: bob, key_sha256: ${'AB'.repeat(32)}, subject: "user:bob@example.com", teams: [search], models: ["main/*"], metadata: {env: dev}}
---
type: provider-account/example
name: main
auth_data: {type: api-key, api_key: "\${env:MAIN_KEY}"}
ownedBy: null
integrations:
  - {name: small, type: integration/model/example, model_id: small-1, model_types: [chat], cost: {metric: public_cost}}
`,
    { MAIN_KEY: 'sk-1' },
  );
  const { server, keys, accounts } = configurationOf(loaded);
  assert.deepEqual(server.listen, { host: '0.0.0.0', port: 9000, trustedProxies: [], closeAfterAnswer: false });
  assert.equal(server.operator.port, 9001);
  assert.equal(server.dataDir, join(loaded.folder, 'state'));
  assert.equal(server.limits.maxBodyBytes, 1000);
  assert.equal(server.limits.maxInFlight, 16384);
  assert.equal(server.timeouts.idleMs, 0);
  assert.equal(server.log.access, 'off');
  assert.equal(server.demo, false);
  assert.deepEqual(server.cors, { allowedOrigins: ['https://app.example.com'], maxAgeSeconds: 600 });
  assert.deepEqual(
    [...everyKey(keys)].toSorted((one, other) => one.name.localeCompare(other.name)),
    [
      {
        name: 'bob',
        keySha256: 'ab'.repeat(32),
        subject: 'user:bob@example.com',
        teams: ['search'],
        models: ['main/*'],
        metadata: { env: 'dev' },
      },
      {
        name: 'ci',
        keySha256: createHash('sha256').update('a key with spaces').digest('hex'),
        subject: 'virtualaccount:ci',
        teams: [],
        metadata: {},
      },
    ],
  );
  assert.deepEqual(JSON.parse(JSON.stringify(accounts)), [
    {
      type: 'provider-account/example',
      name: 'main',
      auth_data: { type: 'api-key', api_key: 'sk-1' },
      integrations: [
        {
          type: 'integration/model/example',
          name: 'small',
          model_id: 'small-1',
          model_types: ['chat'],
          cost: { metric: 'public_cost' },
        },
      ],
    },
  ]);
  assert.ok(structuredClone(configurationOf(loaded)));
});

test('stores on other machines, counters, ledger and metrics are set as they are written', (t) => {
  const { server } = configurationOf(
    loadText(
      t,
      `type: sluice/server
store: {database: "postgres://sluice@db/sluice", counters: "redis://counters:6379/0"}
counters: {agreement: leased, lease_percent: 10, timeout_ms: 50, when_away: closed, max_cells: 2048}
ledger: {enabled: false, sync: strict, when_full: serve, retention_days: 0, hourly_retention_days: 1, metadata_keys: [env], max_journal_bytes: 1048576}
metrics: {metadata_keys: [env, project]}
gateway_id: eu-1
`,
    ),
  );
  assert.deepEqual(server.store, {
    database: 'postgres://sluice@db/sluice',
    counters: 'redis://counters:6379/0',
    blobs: 'disk',
    cache: 'memory',
  });
  assert.deepEqual(server.counters, {
    agreement: 'leased',
    leasePercent: 10,
    timeoutMs: 50,
    whenAway: 'closed',
    maxCells: 2048,
  });
  assert.deepEqual(server.ledger, {
    enabled: false,
    sync: 'strict',
    whenFull: 'serve',
    retentionDays: 0,
    hourlyRetentionDays: 1,
    auditRetentionDays: 400,
    metadataKeys: ['env'],
    maxJournalBytes: 1048576,
  });
  assert.deepEqual(server.metrics, { metadataKeys: ['env', 'project'] });
  assert.equal(server.gatewayId, 'eu-1');
});

test('the operator port follows the listen port: any free one beside any free one, and the one before the last', () => {
  const portFor = (port: number) => {
    const result = load({ overrides: { port } });
    return 'configuration' in result ? result.configuration.server.operator.port : undefined;
  };
  assert.deepEqual([portFor(8787), portFor(0), portFor(65535)], [8788, 0, 65534]);
});

test('the command line wins over the files and is checked as they are', (t) => {
  const source = 'type: sluice/server\nlisten: {port: 1}\nthreads: 9\ndata_dir: x';
  const loaded = loadText(t, source, {}, { overrides: { port: 2, threads: 1, dataDir: '/tmp/y' } });
  const { server } = configurationOf(loaded);
  assert.deepEqual([server.listen.port, server.threads, server.dataDir], [2, 1, '/tmp/y']);
  const refused = loadText(t, source, {}, { overrides: { port: 65536 } });
  assert.match(refused.faults[0] ?? '', /^command line port: .*found 65536; allowed: a whole number from 0 to 65535/);
});

test('automatic threads are the cores where the system spreads one port over threads, and one elsewhere', (t) => {
  const { server } = configurationOf(loadText(t, 'type: sluice/server\nthreads: auto'));
  if (process.platform === 'linux') assert.ok(server.threads >= 1 && server.threads <= 256);
  else assert.equal(server.threads, 1);
});

test('an account is made for each well-known variable that is set when no path is given', () => {
  const wellKnown = ['ONE_KEY', 'TWO_KEY', 'THREE_KEY'].map((variable) => ({
    variable,
    account: variable.toLowerCase(),
    manifest: (value: string) => ({
      type: 'provider-account/example',
      name: variable.toLowerCase(),
      auth_data: { type: 'api-key', api_key: value },
    }),
  }));
  const result = load({ wellKnown, environment: { ONE_KEY: 'a', TWO_KEY: '' } });
  assert.ok('configuration' in result);
  assert.deepEqual(
    result.configuration.accounts.map((account) => account.name),
    ['one_key'],
  );
  const refused = load({ wellKnown, environment: { ONE_KEY: ' hunter2' } });
  assert.ok('faults' in refused);
  assert.equal(refused.faults[0]?.file, 'environment variable ONE_KEY');
  assert.doesNotMatch(JSON.stringify(refused.faults), /hunter2/);
});

test('the first of several variables that is set makes their account, knowing the others', () => {
  const made: unknown[] = [];
  const wellKnown = [
    {
      variable: 'FIRST_KEY',
      otherVariables: ['SECOND_KEY', 'THIRD_KEY'],
      account: 'x',
      manifest: (value: string, environment: Environment = {}) => {
        made.push([value, environment['REGION']]);
        return environment['REGION'] ? { type: 'provider-account/example', name: 'x' } : undefined;
      },
    },
  ];
  const accounts = (environment: Environment) => {
    const result = load({ wellKnown, environment });
    assert.ok('configuration' in result);
    return result.configuration.accounts.length;
  };
  assert.equal(accounts({ SECOND_KEY: 'b', THIRD_KEY: 'c', REGION: 'r' }), 1);
  assert.equal(accounts({ FIRST_KEY: 'a', SECOND_KEY: 'b', REGION: 'r' }), 1);
  assert.equal(accounts({ THIRD_KEY: 'c' }), 0, 'what is set makes no account');
  assert.deepEqual(made, [
    ['b', 'r'],
    ['a', 'r'],
    ['c', undefined],
  ]);
});

test('no account is made from the environment when a path is given', (t) => {
  const manifest = (value: string) => ({ type: 'provider-account/example', name: 'x', auth_data: value });
  const wellKnown = [{ variable: 'ONE_KEY', account: 'x', manifest }];
  const loaded = loadText(t, 'type: sluice/server', { ONE_KEY: 'a' }, { wellKnown });
  assert.deepEqual(configurationOf(loaded).accounts, []);
});

test('the YAML files of a folder are read by name, without hidden ones and subfolders', (t) => {
  const account = (name: string) => `type: provider-account/example\nname: ${name}\n`;
  const folder = manifestFolder(t, {
    'b.yml': account('b'),
    'a.yaml': account('a'),
    'c.txt': 'not: a manifest',
    '.hidden.yaml': account('hidden'),
    'deep/d.yaml': account('d'),
    'folder.yaml/e.yaml': account('e'),
  });
  const result = load({ paths: [folder, join(folder, 'a.yaml')] });
  assert.ok('configuration' in result);
  assert.deepEqual(
    result.configuration.accounts.map((found) => found.name),
    ['a', 'b'],
  );
  assert.deepEqual(result.files, [join(folder, 'a.yaml'), join(folder, 'b.yml')]);
});

test('a path that does not exist is a fault, and an empty folder is a warning', (t) => {
  const folder = manifestFolder(t);
  const result = load({ paths: [folder, join(folder, 'missing.yaml')] });
  assert.ok('faults' in result);
  assert.match(result.faults[0]?.message ?? '', /no such file/);
  assert.match(result.warnings[0]?.message ?? '', /holds no manifest/);
});

test('SLUICE_CONFIG is split at colons', () => {
  assert.deepEqual(configurationPaths({ SLUICE_CONFIG: '/a.yaml::/b' }), ['/a.yaml', '/b']);
  assert.deepEqual(configurationPaths({}), []);
});

test('trusted proxies are addresses and networks, and nothing else', (t) => {
  const load = (value: string) => loadText(t, `type: sluice/server\nlisten: {trusted_proxies: ["${value}"]}\n`).result;
  for (const value of ['10.0.0.1', '10.0.0.0/8', '0.0.0.0/0', '::1', '2001:db8::/32', '::/0'])
    assert.ok(!('faults' in load(value)), value);
  for (const value of [
    '10.0.0.0/33',
    '10.0.0',
    'proxy.example.com',
    '::1/129',
    '10.0.0.0/8/8',
    '10.0.0.0/',
    'fe80::1%eth0',
    '*',
  ])
    assert.ok('faults' in load(value), value);
});
