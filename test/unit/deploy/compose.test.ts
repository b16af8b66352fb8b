import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { z } from 'zod';
import {
  checkStrict,
  documentsOf,
  serverOf,
  stagesOf,
  textOf,
  valuesOf,
  variablesOf,
} from '../../support/deploy-files.ts';
import { root } from '../../support/pages.ts';

/** As much of https://github.com/compose-spec/compose-spec as the file uses: an unknown key is a mistake. */
const service = z.strictObject({
  image: z.string(),
  build: z.string().optional(),
  restart: z.literal('unless-stopped'),
  command: z.array(z.string()).optional(),
  ports: z.array(z.string()).default([]),
  environment: z.record(z.string(), z.string()).default({}),
  volumes: z.array(z.string()).default([]),
  stop_grace_period: z.string().optional(),
  read_only: z.boolean().optional(),
  cap_drop: z.array(z.string()).optional(),
  security_opt: z.array(z.string()).optional(),
  ulimits: z.strictObject({ nofile: z.strictObject({ soft: z.number(), hard: z.number() }) }).optional(),
  depends_on: z
    .union([z.array(z.string()), z.record(z.string(), z.strictObject({ condition: z.literal('service_healthy') }))])
    .default([]),
  healthcheck: z
    .strictObject({ test: z.array(z.string()), interval: z.string(), timeout: z.string(), retries: z.number() })
    .optional(),
});
const compose = z.strictObject({
  name: z.string(),
  services: z.record(z.string(), service),
  volumes: z.record(z.string(), z.null()),
});
const prometheus = z.strictObject({
  global: z.record(z.string(), z.string()),
  rule_files: z.array(z.string()),
  scrape_configs: z.array(
    z.strictObject({
      job_name: z.string(),
      static_configs: z.array(z.strictObject({ targets: z.array(z.string()) })),
    }),
  ),
});

const file = 'deploy/compose/compose.yaml';
const text = await textOf(file);
const [written] = await documentsOf(file, compose);
assert.ok(written?.services['sluice']);
const { services, volumes } = written;
const sluice = written.services['sluice'];
const manifests = await textOf('deploy/compose/config/sluice.yaml');
const server = serverOf(manifests);

test('the configuration of the compose file passes check --strict', async (t) => {
  assert.deepEqual(await checkStrict(t, manifests), { code: 0, said: '1 file, 0 faults, 0 warnings\n' });
});

test('the gateway of the compose file gets exactly the variables that its configuration names', () => {
  assert.deepEqual(Object.keys(sluice.environment).sort(), Object.keys(variablesOf(manifests)).sort());
});

test('every variable that the compose file asks for is in example.env, and no other', async () => {
  const asked = new Set([...text.matchAll(/\$\{(\w+):\?\}/g)].map(([, name]) => name));
  const told = [...(await textOf('deploy/compose/example.env')).matchAll(/^(\w+)=$/gm)].map(([, name]) => name);
  assert.deepEqual([...asked].sort(), told.sort());
});

test('every file and folder that the compose file mounts exists, and every volume and service that it names', () => {
  for (const [name, { volumes: mounts, depends_on: needs, build }] of Object.entries(services)) {
    if (build !== undefined) assert.ok(existsSync(join(root, 'deploy/compose', build, 'Dockerfile')));
    for (const mount of mounts) {
      const [from = ''] = mount.split(':');
      const there = from.startsWith('.') ? existsSync(join(root, 'deploy/compose', from)) : from in volumes;
      assert.ok(there, `${name}: ${mount}`);
    }
    for (const [needed, healthy] of Array.isArray(needs)
      ? needs.map((each) => [each] as const)
      : Object.entries(needs)) {
      assert.ok(services[needed], needed);
      if (healthy) assert.ok(services[needed].healthcheck, needed);
    }
  }
});

test('the gateway of the compose file is mounted where the image looks, and its ports are published on loopback', async () => {
  const image = stagesOf(await textOf('Dockerfile')).at(-1) ?? [];
  const [configuration = ''] = valuesOf(image, 'ENV');
  const targets = sluice.volumes.map((mount) => mount.split(':')[1]);
  assert.deepEqual(targets, [configuration.replace('SLUICE_CONFIG=', ''), ...valuesOf(image, 'WORKDIR')]);
  assert.equal(server.listen.host, '0.0.0.0');
  assert.equal(server.operator.host, '0.0.0.0');
  const ports = [server.listen.port, server.operator.port];
  assert.deepEqual(
    sluice.ports,
    ports.map((port) => `127.0.0.1:${port}:${port}`),
  );
});

test('compose waits longer for the gateway to stop than the gateway drains', () => {
  const [, seconds] = /^(\d+)s$/.exec(sluice.stop_grace_period ?? '') ?? [];
  assert.ok(Number(seconds) * 1000 > server.timeouts.drain_ms);
});

test('the addresses in the variables of the compose file are those of its services', () => {
  for (const name of ['DATABASE_URL', 'REDIS_URL']) {
    const address = new URL((sluice.environment[name] ?? '').replace(/\$\{\w+:\?\}/g, 'x'));
    assert.ok(services[address.hostname]?.healthcheck, address.hostname);
  }
  const { POSTGRES_USER, POSTGRES_DB } = services['postgres']?.environment ?? {};
  assert.match(sluice.environment['DATABASE_URL'] ?? '', new RegExp(`^postgres://${POSTGRES_USER}:.*/${POSTGRES_DB}$`));
});

test('Prometheus scrapes the operator port of the gateway, and Grafana asks that Prometheus', async () => {
  const [scraped] = await documentsOf('deploy/prometheus/prometheus.yml', prometheus);
  assert.deepEqual(
    scraped?.scrape_configs.flatMap((each) => each.static_configs.flatMap(({ targets }) => targets)),
    [`sluice:${server.operator.port}`],
  );
  for (const rules of scraped?.rule_files ?? []) assert.ok(existsSync(join(root, 'deploy/prometheus', rules)), rules);
  const sources = z.object({ datasources: z.array(z.object({ url: z.url() })) });
  const [grafana] = await documentsOf('deploy/grafana/provisioning/datasources/prometheus.yaml', sources);
  const asked = grafana?.datasources.map(({ url }) => new URL(url)) ?? [];
  assert.equal(asked.length, 1);
  for (const { hostname, port } of asked) {
    assert.ok(
      services[hostname]?.ports.some((each) => each.endsWith(`:${port}`)),
      `${hostname}:${port}`,
    );
  }
});

test('Grafana reads the dashboards from where the compose file puts them', async () => {
  const shape = z.object({ providers: z.array(z.object({ options: z.object({ path: z.string() }) })) });
  const [provisioned] = await documentsOf('deploy/grafana/provisioning/dashboards/sluice.yaml', shape);
  const mounted = services['grafana']?.volumes.map((mount) => mount.split(':')[1]);
  for (const { options } of provisioned?.providers ?? []) assert.ok(mounted?.includes(options.path), options.path);
});
