// biome-ignore-all lint/suspicious/noTemplateCurlyInString: `${env:NAME}` is our own syntax, not a template
import type { WrongManifest } from './wrong-manifest.ts';

/** Accounts of particular kinds: model servers, hosts of the table, endpoints of one's own. */
export const hosts: readonly WrongManifest[] = [
  {
    wrong: 'a self-hosted model with `base_url`',
    manifest: [
      'type: provider-account/self-hosted-model',
      'name: lab',
      'integrations: [{name: m, type: integration/model/self-hosted-model, hosted_model_name: m, base_url: "http://10.0.0.1/v1", model_server: vllm-openai, model_types: [chat]}]',
    ],
    prints: [
      'a.yaml:3:16 integrations[0].url: this key is missing — allowed: an http:// or https:// address without user name, query and fragment',
      'a.yaml:3:91 integrations[0].base_url: the key `base_url` is not known here, and what it seems to mean would not hold. Did you mean `url`?',
    ],
  },
  {
    wrong: 'a model server that is not known',
    manifest: [
      'type: provider-account/self-hosted-model',
      'name: lab',
      'integrations: [{name: m, type: integration/model/self-hosted-model, hosted_model_name: m, url: "http://10.0.0.1/v1", model_server: vllm, model_types: [chat]}]',
    ],
    prints: [
      'a.yaml:3:132 integrations[0].model_server: this value is not allowed — found the text "vllm"; allowed: `openai-compatible`, `vllm-openai`, `tei`, `infinity`, `nemo-retriever`, `cohere-rerank-v2`. Did you mean `vllm-openai`?',
    ],
  },
  {
    wrong: 'a host that is not in the table',
    manifest: [
      'type: provider-account/openai-compatible',
      'name: a',
      'host: firewoks',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
    ],
    prints: [
      'a.yaml:3:7 host: this value is not allowed — found the text "firewoks"; allowed: a host of the table in docs/providers.md, or a `base_url` without one. Did you mean `fireworks`?',
    ],
  },
  {
    wrong: 'a host that has a kind of account of its own',
    manifest: [
      'type: provider-account/openai-compatible',
      'name: a',
      'host: groq',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
    ],
    prints: [
      'a.yaml:3:7 host: this value is not allowed — found the text "groq"; allowed: a host of the table in docs/providers.md, or a `base_url` without one. Write `type: provider-account/groq`',
    ],
  },
  {
    wrong: 'an OpenAI-compatible account that says neither host nor address',
    manifest: ['type: provider-account/openai-compatible', 'name: a'],
    prints: [
      'a.yaml:1:1 base_url: nothing says where it is — found nothing; allowed: a `base_url`, or a `host` of the table',
    ],
  },
  {
    wrong: 'a host without a key',
    manifest: ['type: provider-account/openai-compatible', 'name: a', 'host: deepseek'],
    prints: [
      'a.yaml:1:1 auth_data: `deepseek` answers nobody without a key — found nothing; allowed: `{type: api-key, api_key: "${env:NAME}"}`',
    ],
  },
  {
    wrong: 'a host whose address has a part that nobody names',
    manifest: [
      'type: provider-account/openai-compatible',
      'name: a',
      'host: cloudflare',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
    ],
    prints: [
      'a.yaml:1:1 host_parts: the address of `cloudflare` needs it — found nothing; allowed: a map with account_id',
    ],
  },
  {
    wrong: 'a part of an address that is none',
    manifest: [
      'type: provider-account/openai-compatible',
      'name: a',
      'host: cloudflare',
      'host_parts: {account_id: "a/../b"}',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
    ],
    prints: [
      'a.yaml:4:26 host_parts.account_id: this value is not allowed — found the text "a/../b"; allowed: letters, digits and . _ -',
    ],
  },
  {
    wrong: 'a kind of account with an integration of another',
    manifest: [
      'type: provider-account/mistral-ai',
      'name: a',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
      'integrations: [{name: m, type: integration/model/mistral, model_id: m, model_types: [chat]}]',
    ],
    prints: [
      'a.yaml:4:32 integrations[0].type: this value is not allowed — found the text "integration/model/mistral"; allowed: `integration/model/mistral-ai`. Did you mean `integration/model/mistral-ai`?',
    ],
  },
  {
    wrong: 'a credential of another form than its kind knows',
    manifest: ['type: provider-account/groq', 'name: a', 'auth_data: {type: bearer-auth, bearer_token: "${env:KEY}"}'],
    prints: [
      'a.yaml:3:12 auth_data.api_key: this key is missing — allowed: one line of text, 1 to 65536 characters, without control characters',
      'a.yaml:3:19 auth_data.type: this value is not allowed — found the text "bearer-auth"; allowed: `api-key`',
      'a.yaml:3:32 auth_data.bearer_token: warning: the key `bearer_token` is not known here and has no effect',
    ],
  },
  {
    wrong: 'weights of endpoints that do not sum to 100',
    manifest: [
      'type: provider-account/custom-endpoint',
      'name: tools',
      'routing_type: weight',
      'integrations:',
      '  - {name: a, type: integration/model/custom-endpoint, base_url: "https://a.example", loadbalancing_config: {weight: 50}}',
      '  - {name: b, type: integration/model/custom-endpoint, base_url: "https://b.example", loadbalancing_config: {weight: 40}}',
    ],
    prints: [
      'a.yaml:5:3 integrations: this value is not allowed — found a list of 2; allowed: weights (`loadbalancing_config.weight`) that sum to 100; these sum to 90',
    ],
  },
  {
    wrong: 'an endpoint whose name is no segment of a path, and a header of the connection',
    manifest: [
      'type: provider-account/custom-endpoint',
      'name: tools',
      'integrations:',
      '  - name: a/b',
      '    type: integration/model/custom-endpoint',
      '    base_url: https://a.example',
      '    headers: {transfer-encoding: chunked}',
    ],
    prints: [
      'a.yaml:4:11 integrations[0].name: this value is not allowed — found the text "a/b"; allowed: 1 to 128 characters of A–Z a–z 0–9 . _ ~ - (it is a segment of paths)',
      'a.yaml:7:14 integrations[0].headers: this value is not allowed — found a map; allowed: headers without those of the connection and of the length of a body, which the gateway makes',
    ],
  },
  {
    wrong: 'an account of endpoints without any',
    manifest: ['type: provider-account/custom-endpoint', 'name: tools'],
    prints: ['a.yaml:1:1 integrations: this key is missing — allowed: at least one endpoint'],
  },
];
