// biome-ignore-all lint/suspicious/noTemplateCurlyInString: `${env:NAME}` is our own syntax, not a template
import type { WrongManifest } from './wrong-manifest.ts';

/** Provider accounts: their names, credentials, addresses and connections. */
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
];
