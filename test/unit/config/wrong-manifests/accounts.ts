// biome-ignore-all lint/suspicious/noTemplateCurlyInString: `${env:NAME}` is our own syntax, not a template
import type { WrongManifest } from './wrong-manifest.ts';

/** Provider accounts and their models. */
export const accounts: readonly WrongManifest[] = [
  {
    wrong: 'an account without a name',
    manifest: ['type: provider-account/openai', 'auth_data: {type: api-key, api_key: "${env:KEY}"}'],
    prints: [
      'a.yaml:1:1 name: this key is missing — allowed: 1 to 64 characters of A–Z a–z 0–9 . _ - (it stands before the first `/` of model ids)',
    ],
  },
  {
    wrong: 'a name with a slash',
    manifest: [
      'type: provider-account/openai',
      'name: openai/main',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
    ],
    prints: [
      'a.yaml:2:7 name: this value is not allowed — found the text "openai/main"; allowed: 1 to 64 characters of A–Z a–z 0–9 . _ - (it stands before the first `/` of model ids)',
    ],
  },
  {
    wrong: 'two accounts with one name',
    manifest: [
      'type: provider-account/openai',
      'name: a',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
      '---',
      'type: provider-account/anthropic',
      'name: a',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
    ],
    prints: ['a.yaml:6:7 name: this account name stands already in a.yaml:2:7'],
  },
  {
    wrong: 'no credential',
    manifest: ['type: provider-account/openai', 'name: a'],
    prints: [
      'a.yaml:1:1 auth_data: warning: this account has no credential, so its provider will refuse every request. Add `auth_data: {type: api-key, api_key: "${env:NAME}"}`',
    ],
  },
  {
    wrong: 'auth_data as text',
    manifest: ['type: provider-account/openai', 'name: a', 'auth_data: sk-proj-secret'],
    prints: [
      'a.yaml:3:12 auth_data: wrong type — found a text (not shown); allowed: a map',
      'a.yaml:3:12 auth_data: warning: a secret stands literally in this file. Keep it out of the file: "${env:NAME}" or "${file:PATH}"',
    ],
  },
  {
    wrong: 'the key beside auth_data',
    manifest: ['type: provider-account/openai', 'name: a', 'api_key: "${env:KEY}"'],
    prints: [
      'a.yaml:1:1 auth_data: warning: this account has no credential, so its provider will refuse every request. Add `auth_data: {type: api-key, api_key: "${env:NAME}"}`',
      'a.yaml:3:1 api_key: warning: the key `api_key` is not known here and has no effect. Its place is `auth_data.api_key`',
    ],
  },
  {
    wrong: 'auth_data of an unknown form',
    manifest: ['type: provider-account/openai', 'name: a', 'auth_data: {type: apikey, api_key: "${env:KEY}"}'],
    prints: [
      'a.yaml:3:19 auth_data.type: this value is not allowed — found the text "apikey"; allowed: `api-key`. Did you mean `api-key`?',
    ],
  },
  {
    wrong: 'auth_data in camelCase',
    manifest: ['type: provider-account/openai', 'name: a', 'auth_data: {type: api-key, apiKey: "${env:KEY}"}'],
    prints: [
      'a.yaml:3:12 auth_data.api_key: this key is missing — allowed: one line of text, 1 to 65536 characters, without control characters',
      'a.yaml:3:28 auth_data.apiKey: warning: the key `apiKey` is not known here and has no effect. Did you mean `api_key`?',
    ],
  },
  {
    wrong: 'the address of an endpoint',
    manifest: [
      'type: provider-account/openai',
      'name: a',
      'base_url: https://api.openai.com/v1/chat/completions',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
    ],
    prints: [
      'a.yaml:3:11 base_url: this is the address of an endpoint, whose path is added to it again — found the text "https://api.openai.com/v1/chat/completions"; allowed: the address that stands before the path of an endpoint, as `https://api.example.com/v1`. Leave `/chat/completions` out',
    ],
  },
  {
    wrong: 'an address without its scheme',
    manifest: [
      'type: provider-account/openai',
      'name: a',
      'base_url: api.openai.com/v1',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
    ],
    prints: [
      'a.yaml:3:11 base_url: this value is not allowed — found the text "api.openai.com/v1"; allowed: an http:// or https:// address without user name, query and fragment. Put `https://` before it',
    ],
  },
  {
    wrong: 'an address with a query',
    manifest: [
      'type: provider-account/openai',
      'name: a',
      'base_url: "https://x.azure.com/openai?api-version=1"',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
    ],
    prints: [
      'a.yaml:3:11 base_url: this value is not allowed — found the text "https://x.azure.com/openai?api-version=1"; allowed: an http:// or https:// address without user name, query and fragment',
    ],
  },
  {
    wrong: '`base_url` misspelt: the key would go elsewhere',
    manifest: [
      'type: provider-account/openai',
      'name: a',
      'base_ulr: http://10.0.0.1:8000/v1',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
    ],
    prints: [
      'a.yaml:3:1 base_ulr: the key `base_ulr` is not known here, and what it seems to mean would not hold. Did you mean `base_url`?',
    ],
  },
  {
    wrong: '`api_base` of another program',
    manifest: [
      'type: provider-account/openai',
      'name: a',
      'api_base: http://10.0.0.1:8000/v1',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
    ],
    prints: [
      'a.yaml:3:1 api_base: the key `api_base` is not known here, and what it seems to mean would not hold. Did you mean `base_url`?',
    ],
  },
  {
    wrong: '`integration` in place of `integrations`',
    manifest: [
      'type: provider-account/openai',
      'name: a',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
      'integration: [{name: m, type: integration/model/openai, model_id: m, model_types: [chat]}]',
    ],
    prints: [
      'a.yaml:4:1 integration: the key `integration` is not known here, and what it seems to mean would not hold. Did you mean `integrations`?',
    ],
  },
  {
    wrong: '`models` in place of `integrations`',
    manifest: [
      'type: provider-account/openai',
      'name: a',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
      'models: [gpt-4o]',
    ],
    prints: ['a.yaml:4:1 models: warning: the key `models` is not known here and has no effect'],
  },
  {
    wrong: 'an integration of another provider',
    manifest: [
      'type: provider-account/openai',
      'name: a',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
      'integrations: [{name: m, type: integration/model/anthropic, model_id: m, model_types: [chat]}]',
    ],
    prints: [
      'a.yaml:4:32 integrations[0].type: this value is not allowed — found the text "integration/model/anthropic"; allowed: `integration/model/openai`',
    ],
  },
  {
    wrong: 'an integration without model_id',
    manifest: [
      'type: provider-account/openai',
      'name: a',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
      'integrations: [{name: m, type: integration/model/openai, model: gpt-4o, model_types: [chat]}]',
    ],
    prints: [
      'a.yaml:4:16 integrations[0].model_id: this key is missing — allowed: one line of text, 1 to 512 characters, without control characters',
      'a.yaml:4:58 integrations[0].model: warning: the key `model` is not known here and has no effect. Did you mean `model_id`?',
    ],
  },
  {
    wrong: 'model types as text',
    manifest: [
      'type: provider-account/openai',
      'name: a',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
      'integrations: [{name: m, type: integration/model/openai, model_id: m, model_types: chat}]',
    ],
    prints: [
      'a.yaml:4:84 integrations[0].model_types: wrong type — found the text "chat"; allowed: a list. Write a list: `[chat]`',
    ],
  },
  {
    wrong: 'a model type misspelt',
    manifest: [
      'type: provider-account/openai',
      'name: a',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
      'integrations: [{name: m, type: integration/model/openai, model_id: m, model_types: [chats]}]',
    ],
    prints: [
      'a.yaml:4:85 integrations[0].model_types[0]: this value is not allowed — found the text "chats"; allowed: `chat`, `completion`, `embedding`, `realtime`, `rerank`, `audio_transcription`, `audio_translation`, `text_to_speech`, `moderation`, `image`, `responses`, `ocr`. Did you mean `chat`?',
    ],
  },
  {
    wrong: 'a model type that nobody serves',
    manifest: [
      'type: provider-account/openai',
      'name: a',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
      'integrations: [{name: m, type: integration/model/openai, model_id: m, model_types: [ocr]}]',
    ],
    prints: [
      'a.yaml:4:85 integrations[0].model_types[0]: warning: no endpoint serves `ocr` with this kind of account yet — allowed: `chat`',
    ],
  },
  {
    wrong: 'two models with one name',
    manifest: [
      'type: provider-account/openai',
      'name: a',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
      'integrations:',
      '  - {name: m, type: integration/model/openai, model_id: m, model_types: [chat]}',
      '  - {name: m, type: integration/model/openai, model_id: n, model_types: [chat]}',
    ],
    prints: ['a.yaml:6:12 integrations[1].name: this integration name stands already in a.yaml:5:12'],
  },
  {
    wrong: '`authorised_subjects` in British letters',
    manifest: [
      'type: provider-account/openai',
      'name: a',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
      'integrations: [{name: m, type: integration/model/openai, model_id: m, model_types: [chat], authorised_subjects: ["team:search"]}]',
    ],
    prints: [
      'a.yaml:4:92 integrations[0].authorised_subjects: the key `authorised_subjects` is not known here, and what it seems to mean would not hold. Did you mean `authorized_subjects`?',
    ],
  },
  {
    wrong: '`authorizedSubjects` in camelCase',
    manifest: [
      'type: provider-account/openai',
      'name: a',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
      'integrations: [{name: m, type: integration/model/openai, model_id: m, model_types: [chat], authorizedSubjects: ["team:search"]}]',
    ],
    prints: [
      'a.yaml:4:92 integrations[0].authorizedSubjects: the key `authorizedSubjects` is not known here, and what it seems to mean would not hold. Did you mean `authorized_subjects`?',
    ],
  },
  {
    wrong: '`authorized_subjects` on the account',
    manifest: [
      'type: provider-account/openai',
      'name: a',
      'authorized_subjects: ["team:search"]',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
      'integrations: [{name: m, type: integration/model/openai, model_id: m, model_types: [chat]}]',
    ],
    prints: [
      'a.yaml:3:1 authorized_subjects: the key `authorized_subjects` does not belong here, and what it means would not hold. Its place is `integrations[].authorized_subjects`',
    ],
  },
  {
    wrong: 'an authorized subject without its kind',
    manifest: [
      'type: provider-account/openai',
      'name: a',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
      'integrations: [{name: m, type: integration/model/openai, model_id: m, model_types: [chat], authorized_subjects: [search]}]',
    ],
    prints: [
      'a.yaml:4:114 integrations[0].authorized_subjects[0]: this value is not allowed — found the text "search"; allowed: `user:…`, `team:…`, `virtualaccount:…` (in which `*` stands for any characters), or `*`',
    ],
  },
  {
    wrong: 'nobody is authorized',
    manifest: [
      'type: provider-account/openai',
      'name: a',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
      'integrations: [{name: m, type: integration/model/openai, model_id: m, model_types: [chat], authorized_subjects: []}]',
    ],
    prints: [
      'a.yaml:4:113 integrations[0].authorized_subjects: warning: an empty list authorizes nobody: only managers of the account and grants may use this model. Leave the key out if it shall not restrict anybody',
    ],
  },
  {
    wrong: '`collaborator` in place of `collaborators`',
    manifest: [
      'type: provider-account/openai',
      'name: a',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
      'collaborator: [{subject: "team:search", role_id: provider-account-access}]',
    ],
    prints: [
      'a.yaml:4:1 collaborator: the key `collaborator` is not known here, and what it seems to mean would not hold. Did you mean `collaborators`?',
    ],
  },
  {
    wrong: 'a collaborator with `role`',
    manifest: [
      'type: provider-account/openai',
      'name: a',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
      'collaborators: [{subject: "team:search", role: provider-account-access}]',
    ],
    prints: [
      'a.yaml:4:17 collaborators[0].role_id: this key is missing — allowed: one line of text, 1 to 256 characters, without control characters',
      'a.yaml:4:42 collaborators[0].role: warning: the key `role` is not known here and has no effect. Did you mean `role_id`?',
    ],
  },
  {
    wrong: 'a role misspelt',
    manifest: [
      'type: provider-account/openai',
      'name: a',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
      'collaborators: [{subject: "team:search", role_id: provider-account-acess}]',
    ],
    prints: [
      'a.yaml:4:51 collaborators[0].role_id: warning: the role `provider-account-acess` gives nothing here — allowed: `provider-account-manager`, `provider-account-access`. Did you mean `provider-account-access`?',
    ],
  },
  {
    wrong: 'a discount above 100',
    manifest: [
      'type: provider-account/openai',
      'name: a',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
      'discount_percent: 120',
    ],
    prints: ['a.yaml:4:19 discount_percent: this value is not allowed — found 120; allowed: a number from 0 to 100'],
  },
  {
    wrong: 'a cost of an unknown metric',
    manifest: [
      'type: provider-account/openai',
      'name: a',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
      'integrations: [{name: m, type: integration/model/openai, model_id: m, model_types: [chat], cost: {metric: per_million_tokens, value: {input: 1, output: 2}}}]',
    ],
    prints: [
      'a.yaml:4:107 integrations[0].cost.metric: this value is not allowed — found the text "per_million_tokens"; allowed: `public_cost`, `per_1000_tokens`, `per_1000_embedding_tokens`, `per_1000_searches`, `per_million_characters`, `per_minute_of_audio`, `per_image`, `per_1000_pages`',
    ],
  },
  {
    wrong: 'a cost without output',
    manifest: [
      'type: provider-account/openai',
      'name: a',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
      'integrations: [{name: m, type: integration/model/openai, model_id: m, model_types: [chat], cost: {metric: per_1000_tokens, value: {input: 1}}}]',
    ],
    prints: ['a.yaml:4:131 integrations[0].cost.value.output: this key is missing — allowed: a number, 0 or more'],
  },
  {
    wrong: 'a price as text',
    manifest: [
      'type: provider-account/openai',
      'name: a',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
      'integrations: [{name: m, type: integration/model/openai, model_id: m, model_types: [chat], cost: {metric: per_1000_tokens, value: {input: "0.01", output: 0.03}}}]',
    ],
    prints: [
      'a.yaml:4:139 integrations[0].cost.value.input: wrong type — found the text "0.01"; allowed: a number, 0 or more. Write it without quotes',
    ],
  },
  {
    wrong: 'a negative price',
    manifest: [
      'type: provider-account/openai',
      'name: a',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
      'integrations: [{name: m, type: integration/model/openai, model_id: m, model_types: [chat], cost: {metric: per_1000_tokens, value: {input: -1, output: 1}}}]',
    ],
    prints: [
      'a.yaml:4:139 integrations[0].cost.value.input: this value is not allowed — found -1; allowed: a number, 0 or more',
    ],
  },
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
    wrong: 'a certificate that is none',
    manifest: [
      'type: provider-account/self-hosted-model',
      'name: lab',
      'integrations: [{name: m, type: integration/model/self-hosted-model, hosted_model_name: m, url: "https://10.0.0.1/v1", model_server: vllm-openai, model_types: [chat], tls_settings: {reject_unauthorized: true, ca_cert: ./ca.pem}}]',
    ],
    prints: [
      'a.yaml:3:218 integrations[0].tls_settings.ca_cert: this value is not allowed — found the text "./ca.pem"; allowed: a certificate in PEM form',
    ],
  },
  {
    wrong: '`https_proxy` on an account',
    manifest: [
      'type: provider-account/openai',
      'name: a',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
      'https_proxy: "http://proxy:3128"',
    ],
    prints: [
      'a.yaml:4:1 https_proxy: the key `https_proxy` is not known here, and what it seems to mean would not hold. Did you mean `proxy`?',
    ],
  },
  {
    wrong: '`tls_setting` in place of `tls_settings`',
    manifest: [
      'type: provider-account/openai',
      'name: a',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
      'tls_setting: {reject_unauthorized: false}',
    ],
    prints: [
      'a.yaml:4:1 tls_setting: the key `tls_setting` is not known here, and what it seems to mean would not hold. Did you mean `tls_settings`?',
    ],
  },
  {
    wrong: 'a certificate check as text',
    manifest: [
      'type: provider-account/openai',
      'name: a',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
      'tls_settings: {reject_unauthorized: "false"}',
    ],
    prints: [
      'a.yaml:4:37 tls_settings.reject_unauthorized: wrong type — found the text "false"; allowed: `true` or `false`. Write it without quotes',
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
