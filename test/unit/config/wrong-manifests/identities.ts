// biome-ignore-all lint/suspicious/noTemplateCurlyInString: `${env:NAME}` is our own syntax, not a template
import type { WrongManifest } from './wrong-manifest.ts';

/** Teams, virtual accounts, issuers, metadata rules and channels. */
export const identities: readonly WrongManifest[] = [
  {
    wrong: 'a team whose member is no address',
    manifest: ['type: team', 'name: search', 'members: [bob]'],
    prints: ['a.yaml:3:11 members[0]: this value is not allowed — found the text "bob"; allowed: an e-mail address'],
  },
  {
    wrong: '`member` in place of `members`',
    manifest: ['type: team', 'name: search', 'member: [bob@example.com]'],
    prints: [
      'a.yaml:3:1 member: the key `member` is not known here, and what it seems to mean would not hold. Did you mean `members`?',
    ],
  },
  {
    wrong: 'a virtual account whose date is none',
    manifest: ['type: virtual-account', 'name: ci', 'permissions: []', 'expiration_date: 31.12.2027'],
    prints: [
      'a.yaml:4:18 expiration_date: this value is not allowed — found the text "31.12.2027"; allowed: a date as `2027-01-31`',
    ],
  },
  {
    wrong: '`expiry_date` in place of `expiration_date`',
    manifest: ['type: virtual-account', 'name: ci', 'permissions: []', 'expiry_date: "2027-12-31"'],
    prints: [
      'a.yaml:4:1 expiry_date: the key `expiry_date` is not known here, and what it seems to mean would not hold. Did you mean `expiration_date`?',
    ],
  },
  {
    wrong: '`expiration` in place of `expiration_date`',
    manifest: ['type: virtual-account', 'name: ci', 'permissions: []', 'expiration: "2027-12-31"'],
    prints: [
      'a.yaml:4:1 expiration: the key `expiration` is not known here, and what it seems to mean would not hold. Did you mean `expiration_date`?',
    ],
  },
  {
    wrong: 'a grant on an account that is not there',
    manifest: [
      'type: virtual-account',
      'name: ci',
      'permissions: [{resource_fqn: "acme:openai:mian", resource_type: provider-account, role_id: provider-account-access}]',
      '---',
      'type: provider-account/openai',
      'name: main',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
    ],
    prints: ['a.yaml:3:15 permissions[0]: warning: there is no `mian`; the grant has no effect. Did you mean `main`?'],
  },
  {
    wrong: 'an issuer over plain HTTP',
    manifest: [
      'type: sluice/identity-provider',
      'name: sso',
      'issuer: https://login.example.com',
      'jwks_uri: http://login.example.com/keys',
      'audiences: [sluice]',
    ],
    prints: [
      'a.yaml:4:11 jwks_uri: this value is not allowed — found the text "http://login.example.com/keys"; allowed: an https:// address (http:// only on this machine) without user name and fragment',
    ],
  },
  {
    wrong: '`audience` in place of `audiences`',
    manifest: [
      'type: sluice/identity-provider',
      'name: sso',
      'issuer: https://login.example.com',
      'jwks_uri: https://login.example.com/keys',
      'audience: [sluice]',
    ],
    prints: [
      'a.yaml:5:1 audience: the key `audience` is not known here, and what it seems to mean would not hold. Did you mean `audiences`?',
      'a.yaml:3:9 issuer: warning: no `audiences` are given: a token that this issuer made for any other service is accepted as a key. Add `audiences: [<what the issuer writes into aud for this gateway>]`',
    ],
  },
  {
    wrong: 'an algorithm that anybody can forge',
    manifest: [
      'type: sluice/identity-provider',
      'name: sso',
      'issuer: https://login.example.com',
      'jwks_uri: https://login.example.com/keys',
      'audiences: [sluice]',
      'algorithms: [HS256]',
    ],
    prints: [
      'a.yaml:6:14 algorithms[0]: this value is not allowed — found the text "HS256"; allowed: `RS256`, `RS384`, `RS512`, `PS256`, `PS384`, `PS512`, `ES256`, `ES384`, `ES512`, `EdDSA`. Did you mean `ES256` or `PS256` or `RS256`?',
    ],
  },
  {
    wrong: 'metadata of a rule misspelt',
    manifest: [
      'type: gateway-metadata-config',
      'name: m',
      'rules: [{id: a, when: {subjects: ["team:search"]}, metadata_overide: {env: prod}}]',
    ],
    prints: [
      'a.yaml:3:9 rules[0].metadata_override: this key is missing — allowed: a map',
      'a.yaml:3:52 rules[0].metadata_overide: the key `metadata_overide` is not known here, and what it seems to mean would not hold. Did you mean `metadata_override`?',
    ],
  },
  {
    wrong: 'a mail server with a user and no password',
    manifest: [
      'type: provider-account/custom',
      'name: mail',
      'integrations: [{name: smtp, type: integration/notification-channel/email, from_email: a@b.c, auth_data: {type: smtp-credentials, host: mail, port: 587, tls: false, username: a}}]',
    ],
    prints: [
      'a.yaml:3:105 integrations[0].auth_data.password: this key is missing — allowed: both `username` and `password`, or neither',
    ],
  },
  {
    wrong: 'a webhook that is no address',
    manifest: [
      'type: provider-account/slack',
      'name: slack',
      'integrations: [{name: costs, type: integration/notification-channel/slack-webhook, auth_data: {type: slack-webhook, webhook_url: "${env:KEY}"}}]',
    ],
    prints: [
      'a.yaml:3:130 integrations[0].auth_data.webhook_url: this value is not allowed — found a text (not shown); allowed: an http:// or https:// address without user name and fragment',
    ],
  },
];
