import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import {
  checkStrict,
  documentsOf,
  execForm,
  serverOf,
  stagesOf,
  textOf,
  valuesOf,
  variablesOf,
} from '../../support/deploy-files.ts';

const labels = z.record(z.string(), z.string());
const probe = z.looseObject({
  httpGet: z.strictObject({ path: z.string(), port: z.string() }),
  periodSeconds: z.number(),
});
const container = z.strictObject({
  name: z.string(),
  image: z.string(),
  args: z.array(z.string()),
  ports: z.array(z.strictObject({ name: z.string(), containerPort: z.number() })),
  env: z.array(
    z.strictObject({
      name: z.string(),
      valueFrom: z.strictObject({
        fieldRef: z.strictObject({ fieldPath: z.string() }).optional(),
        secretKeyRef: z.strictObject({ name: z.string(), key: z.string() }).optional(),
      }),
    }),
  ),
  volumeMounts: z.array(z.strictObject({ name: z.string(), mountPath: z.string(), readOnly: z.boolean().optional() })),
  startupProbe: probe,
  readinessProbe: probe,
  livenessProbe: probe,
  lifecycle: z.strictObject({ preStop: z.strictObject({ sleep: z.strictObject({ seconds: z.number() }) }) }),
  securityContext: z.strictObject({
    allowPrivilegeEscalation: z.literal(false),
    readOnlyRootFilesystem: z.literal(true),
    capabilities: z.strictObject({ drop: z.tuple([z.literal('ALL')]) }),
  }),
  resources: z.strictObject({ requests: labels, limits: labels }),
});
const pod = z.strictObject({
  automountServiceAccountToken: z.literal(false),
  terminationGracePeriodSeconds: z.number(),
  securityContext: z.strictObject({
    runAsNonRoot: z.literal(true),
    runAsUser: z.number(),
    runAsGroup: z.number(),
    fsGroup: z.number(),
    fsGroupChangePolicy: z.literal('OnRootMismatch'),
    seccompProfile: z.strictObject({ type: z.literal('RuntimeDefault') }),
  }),
  topologySpreadConstraints: z.array(z.looseObject({ labelSelector: z.strictObject({ matchLabels: labels }) })),
  containers: z.tuple([container]),
  volumes: z.tuple([z.strictObject({ name: z.string(), configMap: z.strictObject({ name: z.string() }) })]),
});
const metadata = z.strictObject({ name: z.string(), labels });
const selector = z.strictObject({ matchLabels: labels });
const service = z.strictObject({
  apiVersion: z.literal('v1'),
  kind: z.literal('Service'),
  metadata,
  spec: z.strictObject({
    clusterIP: z.literal('None').optional(),
    publishNotReadyAddresses: z.boolean().optional(),
    selector: labels,
    ports: z.array(z.strictObject({ name: z.string(), port: z.number(), targetPort: z.string() })),
  }),
});
/** As much of Kubernetes' API as the example uses: an unknown key is a mistake. */
const object = z.discriminatedUnion('kind', [
  z.strictObject({ apiVersion: z.literal('v1'), kind: z.literal('ConfigMap'), metadata, data: labels }),
  z.strictObject({
    apiVersion: z.literal('apps/v1'),
    kind: z.literal('StatefulSet'),
    metadata,
    spec: z.strictObject({
      replicas: z.number(),
      serviceName: z.string(),
      podManagementPolicy: z.literal('Parallel'),
      selector,
      template: z.strictObject({ metadata: z.strictObject({ labels, annotations: labels }), spec: pod }),
      volumeClaimTemplates: z.tuple([z.looseObject({ metadata: z.strictObject({ name: z.string() }) })]),
    }),
  }),
  service,
  z.strictObject({
    apiVersion: z.literal('policy/v1'),
    kind: z.literal('PodDisruptionBudget'),
    metadata,
    spec: z.strictObject({ minAvailable: z.number(), selector }),
  }),
]);

const objects = await documentsOf('deploy/kubernetes/sluice.yaml', object);
type Kind = z.output<typeof object>['kind'];
const all = <K extends Kind>(kind: K) =>
  objects.filter((each): each is Extract<z.output<typeof object>, { kind: K }> => each.kind === kind);

const [map] = all('ConfigMap');
const [set] = all('StatefulSet');
const [budget] = all('PodDisruptionBudget');
const services = all('Service');
assert.ok(map && set && budget);
const { spec: podSpec, metadata: podMetadata } = set.spec.template;
const [gateway] = podSpec.containers;
const manifests = Object.values(map.data).join('---\n');
const server = serverOf(manifests);
const image = stagesOf(await textOf('Dockerfile')).at(-1) ?? [];

test('the configuration of the Kubernetes example passes check --strict', async (t) => {
  assert.deepEqual(await checkStrict(t, manifests), { code: 0, said: '1 file, 0 faults, 0 warnings\n' });
  assert.equal(podSpec.volumes[0].configMap.name, map.metadata.name);
});

test('the pods of the Kubernetes example get exactly the variables that their configuration names', async () => {
  assert.deepEqual(gateway.env.map(({ name }) => name).sort(), Object.keys(variablesOf(manifests)).sort());
  const text = await textOf('deploy/kubernetes/sluice.yaml');
  for (const { valueFrom } of gateway.env) {
    const { secretKeyRef } = valueFrom;
    // The command that makes the secret stands at the top of the file.
    if (secretKeyRef) assert.ok(text.includes(`--from-literal=${secretKeyRef.key}=`), secretKeyRef.key);
  }
});

test('several gateways of the Kubernetes example are one: PostgreSQL, Redis, and a lasting name and volume for each', () => {
  assert.ok(set.spec.replicas > 1);
  assert.match(server.store.database, /^postgres:/);
  assert.match(server.store.counters, /^redis:/);
  assert.match(manifests, /gateway_id: "\$\{env:POD_NAME\}"/);
  assert.equal(gateway.env.find(({ name }) => name === 'POD_NAME')?.valueFrom.fieldRef?.fieldPath, 'metadata.name');
  const [volume] = set.spec.volumeClaimTemplates;
  assert.deepEqual(
    gateway.volumeMounts.map(({ name, mountPath }) => [name, mountPath]),
    [
      [podSpec.volumes[0].name, (valuesOf(image, 'ENV')[0] ?? '').replace('SLUICE_CONFIG=', '')],
      [volume.metadata.name, valuesOf(image, 'WORKDIR')[0]],
    ],
  );
});

test('every port and probe of the Kubernetes example is one of the gateway', () => {
  const ports = new Map(gateway.ports.map(({ name, containerPort }) => [name, containerPort]));
  assert.deepEqual(Object.fromEntries(ports), { http: server.listen.port, operator: server.operator.port });
  assert.deepEqual([server.listen.host, server.operator.host], ['0.0.0.0', '0.0.0.0']);
  const probes = [gateway.startupProbe, gateway.readinessProbe, gateway.livenessProbe].map(({ httpGet }) => httpGet);
  assert.deepEqual(probes, [
    { path: '/readyz', port: 'operator' },
    { path: '/readyz', port: 'operator' },
    { path: '/livez', port: 'operator' },
  ]);
  for (const { spec } of services) for (const { targetPort } of spec.ports) assert.ok(ports.has(targetPort));
  assert.equal(podMetadata.annotations['prometheus.io/port'], String(server.operator.port));
  assert.equal(podMetadata.annotations['prometheus.io/path'], '/metrics');
});

test('Kubernetes waits longer for a pod to stop than its pause and the drain together', () => {
  const neededMs = gateway.lifecycle.preStop.sleep.seconds * 1000 + server.timeouts.drain_ms;
  assert.ok(podSpec.terminationGracePeriodSeconds * 1000 > neededMs);
});

test('the selectors of the Kubernetes example choose its pods', () => {
  const selectors = [
    set.spec.selector.matchLabels,
    budget.spec.selector.matchLabels,
    ...podSpec.topologySpreadConstraints.map(({ labelSelector }) => labelSelector.matchLabels),
    ...services.map(({ spec }) => spec.selector),
  ];
  for (const each of selectors) assert.deepEqual(each, podMetadata.labels);
  assert.ok(budget.spec.minAvailable < set.spec.replicas);
  assert.equal(services.find(({ spec }) => spec.clusterIP === 'None')?.metadata.name, set.spec.serviceName);
});

test('the pods of the Kubernetes example run as the user of the image, with its command', () => {
  const { runAsUser, runAsGroup, fsGroup } = podSpec.securityContext;
  assert.deepEqual(valuesOf(image, 'USER'), [`${runAsUser}:${runAsGroup}`]);
  assert.equal(fsGroup, runAsGroup);
  assert.equal(gateway.args[0], execForm(image, 'CMD')[0]);
  const threads = gateway.args[gateway.args.indexOf('--threads') + 1];
  assert.equal(threads, gateway.resources.limits['cpu']);
});
