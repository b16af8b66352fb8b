// biome-ignore-all lint/suspicious/noTemplateCurlyInString: `${env:NAME}` is our own syntax, not a template
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { importConfiguration } from '../../../src/cli/import/import.ts';
import { yamlDocuments } from '../../../src/config/documents/yaml-documents.ts';
import { accountKinds, knownProviders } from '../../../src/plugs.ts';
import { blocks, page } from '../../support/pages.ts';
import { loadText, manifestFolder } from '../config/manifest-folder.ts';

interface Made {
  readonly code: number;
  readonly text: string;
  readonly notes: string[];
  manifest(type: string, name?: string): Record<string, unknown>;
}

function imported(t: TestContext, source: string | object): Made {
  const file = join(manifestFolder(t), 'other');
  writeFileSync(file, typeof source === 'string' ? source : JSON.stringify(source));
  const [out, notes]: [string[], string[]] = [[], []];
  const code = importConfiguration(file, {
    providers: knownProviders(),
    out: (line) => void out.push(line),
    error: (line) => void notes.push(line.replace(file, 'FILE')),
  });
  const text = out.join('\n');
  const all = yamlDocuments(text, 'made.yaml').documents.map(({ data }) => data as Record<string, unknown>);
  const manifest = (type: string, name?: string) => {
    const found = all.find((each) => each['type'] === type && (name === undefined || each['name'] === name));
    assert.ok(found, `${type} ${name ?? ''} is in\n${text}`);
    return found;
  };
  return { code, text, notes, manifest };
}

/** The made configuration has neither a fault nor a warning, once the variables that it names are set. */
function assertLoads(t: TestContext, { text }: Made): void {
  const names = [...text.matchAll(/\$\{env:(\w+)\}/g)].map(([, name = '']) => name);
  const environment = Object.fromEntries(names.map((name) => [name, `value-of-${name}-0123456789`]));
  const regions = Object.fromEntries(
    names.filter((name) => name.endsWith('_REGION')).map((name) => [name, 'us-east-1']),
  );
  const { faults, warnings } = loadText(t, text, { ...environment, ...regions }, { kinds: accountKinds() });
  assert.deepEqual([faults, warnings], [[], []], text);
}

const targetsOf = (made: Made, group: string, slug: string): unknown => {
  const { integrations } = made.manifest('provider-account/virtual-model', group) as {
    integrations: { name: string; routing_config: { type: string; load_balance_targets: Record<string, unknown>[] } }[];
  };
  const found = integrations.find(({ name }) => name === slug);
  return found && [found.routing_config.type, ...found.routing_config.load_balance_targets];
};

const LITELLM = `
model_list:
  - model_name: gpt-4o
    litellm_params: {model: openai/gpt-4o, api_key: os.environ/OPENAI_API_KEY, rpm: 100}
  - model_name: gpt-4o
    litellm_params: {model: azure/eu, api_base: "https://x.openai.azure.com", api_key: os.environ/AZURE_API_KEY, api_version: "2024-10-21", rpm: 300}
    model_info: {base_model: azure/gpt-4o}
  - model_name: mini
    litellm_params: {model: gpt-4o-mini, api_key: sk-proj-a-secret, temperature: 0.2}
  - model_name: claude
    litellm_params: {model: anthropic/claude-sonnet-4-5, litellm_credential_name: theirs}
  - model_name: llama
    litellm_params: {model: hosted_vllm/meta/llama, api_base: "http://127.0.0.1:8000/v1", input_cost_per_token: 2.0e-7, output_cost_per_token: 4.0e-7}
  - model_name: vectors
    litellm_params: {model: bedrock/us-east-1/amazon.titan-embed-text-v2:0}
  - model_name: vertex
    litellm_params: {model: vertex_ai/gemini-2.5-pro, vertex_project: p, vertex_location: us-central1}
  - model_name: groq/llama
    litellm_params: {model: groq/llama-3.3-70b-versatile}
  - model_name: deep
    litellm_params: {model: deepseek/deepseek-chat}
  - model_name: "openai/*"
    litellm_params: {model: "openai/*", api_key: os.environ/OPENAI_API_KEY}
credential_list:
  - {credential_name: theirs, credential_values: {api_key: os.environ/ANTHROPIC_API_KEY}}
litellm_settings: {num_retries: 3, request_timeout: 60, fallbacks: [{claude: [gpt-4o]}], max_budget: 100, budget_duration: 7d}
router_settings: {model_group_alias: {gpt-4: gpt-4o}}
general_settings: {master_key: sk-1234}
`;

test('a configuration of LiteLLM becomes manifests that load, in which every name of a model is kept', (t) => {
  const made = imported(t, LITELLM);
  assert.equal(made.code, 0, made.notes.join('\n'));
  assertLoads(t, made);
  const retry_config = { attempts: 3 };
  assert.deepEqual(targetsOf(made, 'litellm', 'gpt-4o'), [
    'weight-based-routing',
    { target: 'openai-2/gpt-4o', weight: 100, retry_config },
    { target: 'azure-openai/eu', weight: 300, retry_config },
  ]);
  assert.deepEqual(targetsOf(made, 'litellm', 'gpt-4'), targetsOf(made, 'litellm', 'gpt-4o'), 'an alias');
  assert.deepEqual(targetsOf(made, 'litellm', 'claude'), [
    'priority-based-routing',
    { target: 'anthropic/claude-sonnet-4-5', priority: 0, retry_config },
    { target: 'openai-2/gpt-4o', priority: 1, retry_config },
    { target: 'azure-openai/eu', priority: 1, retry_config },
  ]);
  assert.deepEqual(targetsOf(made, 'litellm', 'mini'), [
    'weight-based-routing',
    { target: 'openai-3/gpt-4o-mini', weight: 1, retry_config, override_params: { temperature: 0.2 } },
  ]);
  assert.ok(targetsOf(made, 'litellm', 'groq/llama'), 'a name with a slash, which is no account');
  for (const name of ['llama', 'vectors', 'vertex', 'deep'])
    assert.equal(targetsOf(made, 'litellm', name), undefined, `${name} is the name of a model of one account`);
  assert.deepEqual(made.manifest('provider-account/openai', 'openai')['integrations'], undefined, '`openai/*`');
  assert.deepEqual(made.manifest('provider-account/openai-compatible', 'own')['integrations'], [
    {
      name: 'llama',
      type: 'integration/model/openai-compatible',
      model_id: 'meta/llama',
      model_types: ['chat'],
      cost: { metric: 'per_1000_tokens', value: { input: 0.0002, output: 0.0004 } },
    },
  ]);
  assert.partialDeepStrictEqual(made.manifest('provider-account/aws-bedrock'), {
    region: 'us-east-1',
    integrations: [{ name: 'vectors', model_id: 'amazon.titan-embed-text-v2:0', model_types: ['embedding'] }],
  });
  assert.partialDeepStrictEqual(made.manifest('provider-account/azure-openai'), {
    integrations: [{ api_version: '2024-10-21', foundation_model: 'gpt-4o' }],
  });
  assert.deepEqual(made.manifest('gateway-budget-config')['rules'], [
    { id: 'all', when: {}, limit_to: 100, unit: 'cost_per_week' },
  ]);
  assert.partialDeepStrictEqual(made.manifest('sluice/server'), { timeouts: { total_ms: 60_000 } });
});

test('a secret that stands in the file of another gateway is neither written nor told, and gets a variable of its own', (t) => {
  const made = imported(t, LITELLM);
  const said = made.text + made.notes.join('\n');
  for (const secret of ['sk-proj-a-secret', 'sk-1234']) assert.ok(!said.includes(secret), secret);
  assert.match(made.text, /api_key: \$\{env:OPENAI_API_KEY_2\}/, 'OPENAI_API_KEY is another one');
  assert.match(made.notes.join('\n'), /^model_list\[2\]\.litellm_params\.api_key: .*: set OPENAI_API_KEY_2 to it$/m);
  assert.match(made.notes.join('\n'), /^general_settings\.master_key: .*: set LITELLM_MASTER_KEY to it$/m);
});

test('an import says what it loses, exits with 1 then, and prints the rest', (t) => {
  const made = imported(
    t,
    `
model_list:
  - {model_name: a, litellm_params: {model: openai/gpt-4o}}
  - {model_name: b, litellm_params: {model: predibase/x}}
  - {model_name: c, litellm_params: {model: some-model}}
  - {model_name: "*", litellm_params: {model: "*"}}
  - {model_name: d, litellm_params: {model: azure/x}}
  - {model_name: f, litellm_params: {model: constructor/x}}
litellm_settings: {callbacks: [langfuse], some_flag: true}
router_settings: {routing_strategy: least-busy, model_group_alias: {e: nothing}}
`,
  );
  assert.equal(made.code, 1);
  assertLoads(t, made);
  assert.deepEqual(
    made.notes.filter((note) => note.includes('LOST:')).map((note) => note.split(':')[0]),
    [
      'model_list[3].litellm_params.model',
      'model_list[1].litellm_params',
      'model_list[2].litellm_params.model',
      'model_list[4].litellm_params',
      'model_list[5].litellm_params',
      'router_settings.model_group_alias.e',
    ],
  );
  const notes = made.notes.join('\n');
  assert.match(notes, /`some-model` names no provider: write one in front of it, as `openai\/some-model`/);
  assert.match(notes, /litellm_settings\.callbacks: docs\/traces\.md/);
  assert.match(notes, /litellm_settings\.some_flag: is not carried over/);
  assert.match(notes, /routing_strategy: `least-busy` became shares by weight/);
  assert.match(notes, /^1 manifest, 9 notes, 6 LOST\./m);
});

test('a config of Portkey becomes a virtual model, with its order or its shares', (t) => {
  const targets = [
    { provider: 'openai', virtualKey: 'oai-1', overrideParams: { model: 'gpt-4o', top_p: 0.5 }, weight: 3 },
    { provider: '@anthropic', api_key: 'sk-ant-a-secret', override_params: { model: 'claude-sonnet-4-5' }, weight: 1 },
  ];
  const rest = { retry: { attempts: 5 }, cache: { mode: 'simple', max_age: 60 }, request_timeout: 30_000 };
  const ordered = imported(t, { strategy: { mode: 'fallback', on_status_codes: [429] }, targets, ...rest });
  assert.equal(ordered.code, 0, ordered.notes.join('\n'));
  assertLoads(t, ordered);
  const more = { retry_config: { attempts: 5 }, fallback_status_codes: ['429'] };
  assert.deepEqual(targetsOf(ordered, 'portkey', 'default'), [
    'priority-based-routing',
    { target: 'openai/gpt-4o', priority: 0, ...more, override_params: { top_p: 0.5 } },
    { target: 'anthropic/claude-sonnet-4-5', priority: 1, ...more },
  ]);
  assert.deepEqual(ordered.manifest('sluice/cache')['rules'], [{ id: 'portkey', type: 'exact-match', ttl: 60 }]);
  assert.ok(!(ordered.text + ordered.notes.join()).includes('sk-ant-a-secret'));

  const shared = imported(t, { strategy: { mode: 'loadbalance' }, targets });
  assert.partialDeepStrictEqual(targetsOf(shared, 'portkey', 'default'), [
    'weight-based-routing',
    { target: 'openai/gpt-4o', weight: 3 },
    { target: 'anthropic/claude-sonnet-4-5', weight: 1 },
  ]);
  const single = imported(t, { provider: 'groq', api_key: 'a-secret' });
  assert.equal(single.code, 0);
  assertLoads(t, single);
  assert.match(single.notes.join('\n'), /clients ask for `groq\/MODEL`/);
  const lost = imported(t, { strategy: { mode: 'fallback' }, targets: [...targets, { provider: 'groq' }] });
  assert.equal(lost.code, 1);
  assert.match(lost.notes.join('\n'), /targets\[2\]: LOST: names no model \(`override_params\.model`\)/);
});

test('a configuration of Bifrost keeps the names of its providers, its virtual keys, budgets and limits', (t) => {
  const made = imported(t, {
    providers: {
      openai: {
        keys: [
          { value: 'env.OPENAI_API_KEY', models: ['*'] },
          { value: 'env.OTHER_KEY', models: ['*'] },
        ],
      },
      mistral: { keys: [{ value: 'env.MISTRAL_API_KEY' }] },
      azure: {
        keys: [
          {
            value: 'env.AZURE_API_KEY',
            azure_key_config: { endpoint: 'https://x.openai.azure.com', deployments: { 'gpt-4o': 'eu' } },
          },
        ],
      },
      local: {
        keys: [{ value: 'a-secret' }],
        network_config: { base_url: 'http://127.0.0.1:8000/v1' },
        custom_provider_config: { base_provider_type: 'openai' },
      },
    },
    governance: {
      virtual_keys: [
        {
          name: 'the app',
          value: 'sk-bf-a-secret',
          team_id: 't',
          budget_id: 'b',
          rate_limit_id: 'r',
          provider_configs: [{ provider: 'openai', allowed_models: ['gpt-4o'] }, { provider: 'mistral' }],
        },
        { name: 'made', id: 'vk-2' },
      ],
      teams: [{ id: 't', name: 'search' }],
      budgets: [{ id: 'b', max_limit: 50, reset_duration: '1M' }],
      rate_limits: [{ id: 'r', request_max_limit: 10, request_reset_duration: '1m' }],
    },
  });
  assert.equal(made.code, 1);
  assert.match(made.notes.join('\n'), /virtual_keys\[1\]: LOST: .*`sluice keys create --subject virtualaccount:made`/);
  assertLoads(t, made);
  assert.deepEqual(made.manifest('provider-account/openai', 'openai')['auth_data'], {
    type: 'api-key',
    api_key: '${env:OPENAI_API_KEY}',
    further_api_keys: ['${env:OTHER_KEY}'],
  });
  made.manifest('provider-account/mistral-ai', 'mistral');
  made.manifest('provider-account/openai-compatible', 'local');
  assert.partialDeepStrictEqual(made.manifest('provider-account/azure-openai', 'azure'), {
    integrations: [{ name: 'gpt-4o', model_id: 'eu' }],
  });
  const subjects = ['virtualaccount:the-app'];
  assert.deepEqual(made.manifest('sluice/api-keys')['keys'], [
    {
      name: 'the-app',
      key: '${env:THE_APP_KEY}',
      subject: subjects[0],
      teams: ['search'],
      models: ['openai/gpt-4o', 'mistral/*'],
    },
  ]);
  assert.deepEqual(made.manifest('gateway-budget-config')['rules'], [
    { id: 'the-app', when: { subjects }, limit_to: 50, unit: 'cost_per_month' },
  ]);
  assert.deepEqual(made.manifest('gateway-rate-limiting-config')['rules'], [
    { id: 'the-app-requests', when: { subjects }, limit_to: 10, unit: 'requests_per_minute' },
  ]);
});

test('the manifests of docs/migrate.md are what `sluice import` prints for the configuration above them', (t) => {
  const text = page('docs/migrate.md');
  const made = imported(t, blocks(text, 'text')[0] ?? '');
  assert.deepEqual([made.code, made.notes.length], [0, 1], made.notes.join('\n'));
  assert.equal(`${made.text.slice(made.text.indexOf('\n') + 1)}\n`, blocks(text, 'yaml')[0]);
});

test('a file that is no configuration of another gateway is refused, with what would be one', (t) => {
  for (const source of ['type: sluice/server', '- a', '{', 'text', '']) {
    const { code, text, notes } = imported(t, source);
    assert.deepEqual([code, text], [1, ''], source);
    assert.match(notes.join('\n'), /^FILE: .*LiteLLM \(`model_list`\).*Portkey.*Bifrost \(`providers`\)$/, source);
  }
});
