import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { GatewayError } from '../../src/core/errors.ts';
import { MODEL_TYPES_OF } from '../../src/inference/operation.ts';
import {
  accountKinds,
  allPlugs,
  dialects,
  forwardable,
  guardPlugOf,
  PASSED_AT,
  realtimeForm,
  SPOKEN,
  wellKnown,
  wiresOf,
} from '../../src/plugs.ts';
import type { ProviderPlug, Target } from '../../src/providers/provider.ts';
import { formOf, mountFor } from '../../src/relay/choose-mount.ts';
import { TaskPool } from '../../src/relay-thread/task-pool.ts';

const DIALECTS = dialects();
const PLUGS = allPlugs();
const WIRES = wiresOf(PLUGS);

const key = { type: 'api-key', api_key: 'sk-1' };

/** What makes an account of a kind that no variable makes one of. */
const MANIFESTS: Record<string, object> = {
  'provider-account/ollama': { name: 'local' },
  'provider-account/google-vertex': { name: 'vertex', project_id: 'p-1', region: 'us-central1' },
  'provider-account/azure-openai': { name: 'azure', auth_data: key, azure_endpoint: 'https://res.openai.azure.com' },
  'provider-account/azure-foundry': {
    name: 'foundry',
    integrations: [
      {
        type: 'integration/model/azure-foundry',
        name: 'm',
        model_id: 'm',
        model_types: ['chat'],
        auth_data: key,
        azure_endpoint: 'https://res.services.ai.azure.com',
      },
    ],
  },
  'provider-account/databricks': { name: 'databricks', auth_data: key, base_url: 'https://dbc-1.cloud.databricks.com' },
  'provider-account/snowflake-cortex': {
    name: 'snowflake',
    auth_data: { type: 'pat-token', pat_token: 'pat-1' },
    account_identifier: 'myorg-house',
  },
  'provider-account/cloudera': {
    name: 'cloudera',
    auth_data: { type: 'token', api_token: 'token-1' },
    integrations: [
      {
        type: 'integration/model/cloudera',
        name: 'm',
        model_id: 'm',
        model_types: ['chat'],
        base_url: 'https://ml-1.cloudera.site/v1',
      },
    ],
  },
  'provider-account/aws-bedrock-mantle': { name: 'mantle', region: 'us-east-1' },
  'provider-account/aws-sagemaker': { name: 'endpoints', region: 'us-east-1' },
  'provider-account/aws-claude-platform': { name: 'claude', region: 'us-west-2', workspace_id: 'wrkspc_01' },
  'provider-account/openai-compatible': { name: 'other', base_url: 'http://127.0.0.1:1/v1' },
  'provider-account/wafer': { name: 'wafer', auth_data: { type: 'api-key', api_key: 'sk-1' } },
  'provider-account/self-hosted-model': {
    name: 'house',
    integrations: [
      {
        type: 'integration/model/self-hosted-model',
        name: 'm',
        hosted_model_name: 'm',
        url: 'http://127.0.0.1:1/v1',
        model_server: 'vllm-openai',
        model_types: ['chat'],
      },
    ],
  },
};

/** Where the form of a request depends on its model. */
const MODEL_OF: Record<string, string> = {
  'bedrock-invoke-embeddings': 'cohere.embed-v4:0',
  'bedrock-images': 'amazon.nova-canvas-v1:0',
  'bedrock-image-edits': 'amazon.nova-canvas-v1:0',
};

const tasks = new TaskPool();
after(() => tasks.close());

function targetOf(plug: ProviderPlug, more: object = {}): Target {
  const made = plug.wellKnown?.manifest('sk-1') ?? { type: plug.type, ...MANIFESTS[plug.type] };
  const manifest = { ...(made as object), ...more };
  const account = plug.open(plug.schema.parse(manifest), new Map());
  const target = account.listed[0] ?? account.target('m');
  assert.ok(target, `${plug.type} has no model: give it a manifest here`);
  return target;
}

/** More than the relay translates on its own thread. */
const LONG = 'x'.repeat(300_000);
const LARGE: Record<string, object> = {
  'openai-chat': { model: 'm', messages: [{ role: 'user', content: LONG }], max_tokens: 5 },
  'anthropic-messages': { model: 'm', messages: [{ role: 'user', content: LONG }], max_tokens: 5 },
  'openai-input-tokens': { model: 'm', input: LONG },
  'openai-compaction': { model: 'm', input: LONG },
  'anthropic-count-tokens': { model: 'm', messages: [{ role: 'user', content: LONG }] },
  'openai-embeddings': { model: 'm', input: LONG, input_type: 'query' },
  'openai-completions': { model: 'm', prompt: LONG },
  'cohere-rerank': { model: 'm', query: 'q', documents: [LONG] },
  'mistral-ocr': { model: 'm', document: { type: 'image_url', image_url: `data:image/png;base64,${LONG}` } },
  'openai-speech': { model: 'm', input: LONG, voice: 'v' },
  'openai-images': { model: 'm', prompt: LONG },
  'openai-image-edits': { model: 'm', prompt: 'p', images: [{ image_url: `data:image/png;base64,${LONG}` }] },
  'openai-responses': { model: 'm', input: LONG },
};
/** Their files stay where they are, so that nothing of them is large (test/integration/transcripts-vendors.test.ts). */
const FORMS_ALONE = ['openai-image-variations', 'openai-transcriptions', 'openai-translations'];

// A kind without wires has endpoints of its own: test/integration/custom-endpoints.test.ts.
for (const plug of PLUGS.filter(({ wires }) => wires.length > 0)) {
  describe(plug.type, () => {
    const target = targetOf(plug);
    const mounts = [...target.mounts.values()].flat();

    test('a plug’s accounts speak wires that it lists, and each of these is in WIRES', () => {
      assert.ok(mounts.length > 0);
      for (const { wire } of mounts) assert.ok(plug.wires.includes(wire), wire.name);
      for (const wire of plug.wires) assert.ok(WIRES.includes(wire), wire.name);
    });

    test('the proxy and the TLS settings of an account are those of all its connections', () => {
      const proxy = 'http://proxy.example:3128';
      const reached = targetOf(plug, { proxy, tls_settings: { reject_unauthorized: false } });
      for (const { connection } of [...reached.mounts.values()].flat()) {
        assert.deepEqual([connection.proxy, connection.tls?.rejectUnauthorized], [proxy, false]);
      }
    });

    test('every client header that a plug forwards is read by the edge', () => {
      const read = forwardable({ accounts: [{ type: plug.type, name: 'a' }] });
      for (const { forwards } of mounts) {
        for (const name of forwards) {
          assert.ok(read.includes(name), name);
          assert.equal(name, name.toLowerCase());
        }
      }
    });

    for (const dialect of DIALECTS.filter(({ name }) => !FORMS_ALONE.includes(name))) {
      test(`a large request in ${dialect.name} is translated where it has to be`, async () => {
        const mount = mountFor(target, dialect);
        if (mount === undefined || formOf(mount.wire) === dialect.name) return;
        const { signal } = new AbortController();
        const asked = { body: Buffer.from(JSON.stringify(LARGE[dialect.name])), cacheMarker: undefined };
        const modelId = MODEL_OF[mount.wire.name] ?? 'm';
        const made = await tasks.translateHeavy(dialect, mount.wire, { id: 'a/m', modelId }, asked, signal);
        assert.ok(!(made instanceof GatewayError), made instanceof GatewayError ? made.message : '');
        assert.ok(made.body.length > 300_000);
      });
    }
  });
}

/** Sessions have no requests and answers that a dialect could be about. */
const REALTIME = ['/realtime', '/ws/v1beta.GenerativeService.BidiGenerateContent'].map(
  (path) => realtimeForm(path).wire,
);

test('one name is one wire, and a wire that no dialect speaks has a translation, or is of realtime sessions', () => {
  assert.equal(new Set(WIRES.map(({ name }) => name)).size, WIRES.length);
  for (const wire of WIRES) {
    const spoken = DIALECTS.some((dialect) => dialect.name === formOf(wire) && dialect.operation === wire.operation);
    const isRealtime = wire.operation === 'realtime' && REALTIME.includes(wire.name);
    assert.ok(spoken || wire.translation || isRealtime, wire.name);
  }
});

test('a manifest may name every model type that a wire of its kind of account serves', () => {
  for (const { type, servedModelTypes } of accountKinds()) {
    const operations = PLUGS.find((plug) => plug.type === type)!.wires.map(({ operation }) => operation);
    for (const operation of new Set(operations)) {
      const types = MODEL_TYPES_OF[operation];
      assert.ok(types.length === 0 || types.some((each) => servedModelTypes?.has(each)), `${type}: ${operation}`);
    }
  }
});

test('the facts of a dialect that are known before its code is loaded are its own', () => {
  assert.deepEqual(
    SPOKEN.map(({ operation, to }) => [operation, to]),
    DIALECTS.map(({ operation, translation }) => [operation, translation?.to ?? []]),
  );
});

test('the facts of a vendor that are known before its code is loaded are those of its plug', () => {
  assert.deepEqual(
    accountKinds().map(({ type }) => type),
    PLUGS.map(({ type }) => type),
  );
  assert.deepEqual(
    wellKnown().map(({ variable, otherVariables, account }) => [variable, otherVariables, account]),
    PLUGS.flatMap(({ wellKnown, otherWellKnown = [] }) => [...(wellKnown ? [wellKnown] : []), ...otherWellKnown]).map(
      ({ variable, otherVariables = [], account }) => [variable, otherVariables, account],
    ),
  );
  const passed = PLUGS.flatMap(({ type, passedAt = [] }) => passedAt.map((pattern) => `${pattern} ${type}`));
  assert.deepEqual(
    [...PASSED_AT].flatMap(([pattern, types]) => [...types].map((type) => `${pattern} ${type}`)).sort(),
    passed.sort(),
  );
  for (const plug of PLUGS) {
    for (const kind of plug.guards?.kinds ?? []) assert.equal(guardPlugOf(kind), plug.guards, kind);
  }
});
