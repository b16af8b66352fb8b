// biome-ignore-all lint/suspicious/noTemplateCurlyInString: `${env:NAME}` is our own syntax, not a template
import type { WrongManifest } from './wrong-manifest.ts';

/** Models of provider accounts: what they are called, who may use them, what they cost. */
export const models: readonly WrongManifest[] = [
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
      'a.yaml:4:85 integrations[0].model_types[0]: this value is not allowed — found the text "chats"; allowed: `chat`, `completion`, `embedding`, `realtime`, `rerank`, `audio_transcription`, `audio_translation`, `text_to_speech`, `moderation`, `image`, `responses`, `ocr`, `audio`. Did you mean `chat`?',
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
];
