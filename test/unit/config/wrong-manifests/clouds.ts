// biome-ignore-all lint/suspicious/noTemplateCurlyInString: `${env:NAME}` is our own syntax, not a template
import type { WrongManifest } from './wrong-manifest.ts';

/** Provider accounts of clouds, whose credentials have many forms. */
export const clouds: readonly WrongManifest[] = [
  {
    wrong: 'an account of Vertex without project and region',
    manifest: ['type: provider-account/google-vertex', 'name: a'],
    prints: [
      'a.yaml:1:1 project_id: this key is missing — allowed: the id of a project: letters, digits, `-`, `.`, `:`',
      'a.yaml:1:1 region: this key is missing — allowed: `global`, `us`, `eu` or a region, as `us-central1`',
    ],
  },
  {
    wrong: 'a region of Vertex that is a zone',
    manifest: ['type: provider-account/google-vertex', 'name: a', 'project_id: p', 'region: us-central1-a'],
    prints: [
      'a.yaml:4:9 region: this value is not allowed — found the text "us-central1-a"; allowed: `global`, `us`, `eu` or a region, as `us-central1`',
    ],
  },
  {
    wrong: 'the path of a key file in place of its content',
    manifest: [
      'type: provider-account/google-vertex',
      'name: a',
      'project_id: p',
      'region: us-central1',
      'auth_data: {type: key-file, key_file_content: "${env:KEY}"}',
    ],
    prints: [
      'a.yaml:5:47 auth_data.key_file_content: this value is not allowed — found a text (not shown); allowed: the JSON key of a service account (or what gcloud keeps of a user), as its text or as a map',
    ],
  },
  {
    wrong: 'a federation file where a key file belongs',
    manifest: [
      'type: provider-account/google-vertex',
      'name: a',
      'project_id: p',
      'region: us-central1',
      'auth_data: {type: key-file, key_file_content: {type: external_account, audience: a}}',
    ],
    prints: [
      'a.yaml:5:47 auth_data.key_file_content: this value is not allowed — found a map; allowed: the JSON key of a service account (or what gcloud keeps of a user), as its text or as a map (see `type`)',
    ],
  },
  {
    wrong: 'a deployment of Azure whose address holds more than its version',
    manifest: [
      'type: provider-account/azure-openai',
      'name: a',
      'azure_endpoint: "https://res.openai.azure.com?code=1"',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
    ],
    prints: [
      'a.yaml:3:17 azure_endpoint: this value is not allowed — found the text "https://res.openai.azure.com?code=1"; allowed: an https:// address of a resource, as `https://name.openai.azure.com`',
    ],
  },
  {
    wrong: 'an account of Azure with `base_url`',
    manifest: [
      'type: provider-account/azure-openai',
      'name: a',
      'base_url: https://res.openai.azure.com',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
    ],
    prints: [
      'a.yaml:1:1 azure_endpoint: this key is missing — allowed: an https:// address of a resource, as `https://name.openai.azure.com`',
      'a.yaml:3:1 base_url: the key `base_url` is not known here, and what it seems to mean would not hold. Did you mean `azure_endpoint`?',
    ],
  },
  {
    wrong: 'a certificate of Azure without its private key',
    manifest: [
      'type: provider-account/azure-openai',
      'name: a',
      'azure_endpoint: https://res.openai.azure.com',
      'auth_data: {type: certificate, tenant_id: t, client_id: c, certificate: "${env:KEY}", certificate_thumbprint: x}',
    ],
    prints: [
      'a.yaml:4:73 auth_data.certificate: this value is not allowed — found a text (not shown); allowed: a private key in PEM form, with its certificate where `certificate_thumbprint` is not given',
      'a.yaml:4:111 auth_data.certificate_thumbprint: this value is not allowed — found the text "x"; allowed: the SHA-1 of the certificate, as base64url or as hexadecimal digits',
    ],
  },
  {
    wrong: 'a credential of Azure of an unknown form',
    manifest: [
      'type: provider-account/azure-openai',
      'name: a',
      'azure_endpoint: https://res.openai.azure.com',
      'auth_data: {type: client_secret, tenant_id: t, client_id: c, client_secret: "${env:KEY}"}',
    ],
    prints: [
      'a.yaml:4:19 auth_data.type: this value is not allowed — found the text "client_secret"; allowed: `api-key`, `client-secret`, `certificate`, `workload-identity`, `managed-identity`. Did you mean `client-secret`?',
    ],
  },
  {
    wrong: 'a deployment of Azure whose model nothing names',
    manifest: [
      'type: provider-account/azure-openai',
      'name: a',
      'azure_endpoint: https://res.openai.azure.com',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
      'integrations:',
      '  - {name: m, type: integration/model/azure-openai, model_id: prod, model_types: [chat]}',
      '  - {name: gpt-5.4, type: integration/model/azure-openai, model_id: prod, model_types: [chat]}',
      '  - {name: n, type: integration/model/azure-openai, model_id: prod, model_types: [chat], foundation_model: gpt-5.4}',
    ],
    prints: [
      'a.yaml:6:63 integrations[0].model_id: warning: nothing says which model is deployed here, so it has no list price and is asked as any model may be. Add `foundation_model: gpt-5.4`, say',
    ],
  },
  {
    wrong: 'a model of Foundry without address and credential',
    manifest: [
      'type: provider-account/azure-foundry',
      'name: a',
      'integrations: [{name: m, type: integration/model/azure-foundry, model_id: m, model_types: [chat]}]',
    ],
    prints: [
      'a.yaml:3:16 integrations[0].auth_data: this key is missing — allowed: a map',
      'a.yaml:3:16 integrations[0].azure_endpoint: this key is missing — allowed: an https:// address of a resource, as `https://name.openai.azure.com`',
    ],
  },
  {
    wrong: 'the address of Snowflake in place of the identifier',
    manifest: [
      'type: provider-account/snowflake-cortex',
      'name: a',
      'account_identifier: myorg-house.snowflakecomputing.com',
      'auth_data: {type: pat-token, pat_token: "${env:KEY}"}',
    ],
    prints: [
      'a.yaml:3:21 account_identifier: this value is not allowed — found the text "myorg-house.snowflakecomputing.com"; allowed: the identifier of an account, as `myorg-myaccount`, without the address around it',
    ],
  },
  {
    wrong: 'a client of Snowflake whose tokens nobody gives',
    manifest: [
      'type: provider-account/snowflake-cortex',
      'name: a',
      'account_identifier: myorg-house',
      'auth_data: {type: oauth, client_id: c, client_secret: "${env:KEY}"}',
    ],
    prints: [
      'a.yaml:4:12 auth_data.token_url: this key is missing — allowed: the address where tokens are given: without `refresh_token` Snowflake itself gives none',
    ],
  },
  {
    wrong: 'a model of Cloudera without address',
    manifest: [
      'type: provider-account/cloudera',
      'name: a',
      'auth_data: {type: token, api_token: "${env:KEY}"}',
      'integrations: [{name: m, type: integration/model/cloudera, model_id: m, model_types: [chat]}]',
    ],
    prints: [
      'a.yaml:4:16 integrations[0].base_url: this key is missing — allowed: the address of the model endpoint up to `/v1`',
    ],
  },
];
