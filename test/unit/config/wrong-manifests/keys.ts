// biome-ignore-all lint/suspicious/noTemplateCurlyInString: `${env:NAME}` is our own syntax, not a template
import type { WrongManifest } from './wrong-manifest.ts';

/** `sluice/api-keys`. */
export const keys: readonly WrongManifest[] = [
  {
    wrong: 'a key without a subject',
    manifest: ['type: sluice/api-keys', 'keys: [{name: a, key: "${env:KEY}"}]'],
    prints: ['a.yaml:2:8 keys[0].subject: this key is missing — allowed: `user:…` or `virtualaccount:…`'],
  },
  {
    wrong: 'a subject without its kind',
    manifest: ['type: sluice/api-keys', 'keys: [{name: a, key: "${env:KEY}", subject: bob@example.com}]'],
    prints: [
      'a.yaml:2:46 keys[0].subject: this value is not allowed — found the text "bob@example.com"; allowed: `user:…` or `virtualaccount:…`',
    ],
  },
  {
    wrong: 'a subject that is a team',
    manifest: ['type: sluice/api-keys', 'keys: [{name: a, key: "${env:KEY}", subject: "team:search"}]'],
    prints: [
      'a.yaml:2:46 keys[0].subject: this value is not allowed — found the text "team:search"; allowed: `user:…` or `virtualaccount:…`',
    ],
  },
  {
    wrong: 'neither key nor digest',
    manifest: ['type: sluice/api-keys', 'keys: [{name: a, subject: "user:a@b.c"}]'],
    prints: [
      'a.yaml:2:8 keys[0]: it must be said once what the key is — found neither; allowed: exactly one of `key` and `key_sha256`',
    ],
  },
  {
    wrong: 'both key and digest',
    manifest: [
      'type: sluice/api-keys',
      'keys: [{name: a, key: "${env:KEY}", key_sha256: a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0, subject: "user:a@b.c"}]',
    ],
    prints: [
      'a.yaml:2:8 keys[0]: it must be said once what the key is — found both; allowed: exactly one of `key` and `key_sha256`',
    ],
  },
  {
    wrong: 'a digest that is cut',
    manifest: ['type: sluice/api-keys', 'keys: [{name: a, key_sha256: 9f86d0, subject: "user:a@b.c"}]'],
    prints: [
      'a.yaml:2:30 keys[0].key_sha256: this value is not allowed — found the text "9f86d0"; allowed: 64 hexadecimal digits: the SHA-256 of the key',
    ],
  },
  {
    wrong: '`model` in place of `models`',
    manifest: [
      'type: sluice/api-keys',
      'keys: [{name: a, key_sha256: a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0, subject: "user:a@b.c", model: ["main/*"]}]',
    ],
    prints: [
      'a.yaml:2:119 keys[0].model: the key `model` is not known here, and what it seems to mean would not hold. Did you mean `models`?',
    ],
  },
  {
    wrong: '`allowed_models` in place of `models`',
    manifest: [
      'type: sluice/api-keys',
      'keys: [{name: a, key_sha256: a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0, subject: "user:a@b.c", allowed_models: ["main/*"]}]',
    ],
    prints: [
      'a.yaml:2:119 keys[0].allowed_models: the key `allowed_models` is not known here, and what it seems to mean would not hold. Did you mean `models`?',
    ],
  },
  {
    wrong: '`models` at the top',
    manifest: [
      'type: sluice/api-keys',
      'models: ["main/*"]',
      'keys: [{name: a, key_sha256: a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0, subject: "user:a@b.c"}]',
    ],
    prints: [
      'a.yaml:2:1 models: the key `models` does not belong here, and what it means would not hold. Its place is `keys[].models`',
    ],
  },
  {
    wrong: '`Models` with a capital',
    manifest: [
      'type: sluice/api-keys',
      'keys: [{name: a, key_sha256: a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0, subject: "user:a@b.c", Models: ["main/*"]}]',
    ],
    prints: [
      'a.yaml:2:119 keys[0].Models: the key `Models` is not known here, and what it seems to mean would not hold. Did you mean `models`?',
    ],
  },
  {
    wrong: 'models as one text',
    manifest: [
      'type: sluice/api-keys',
      'keys: [{name: a, key_sha256: a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0, subject: "user:a@b.c", models: "main/*"}]',
    ],
    prints: [
      'a.yaml:2:127 keys[0].models: wrong type — found the text "main/*"; allowed: a list. Write a list: `["main/*"]`',
    ],
  },
  {
    wrong: '`team` in place of `teams`',
    manifest: [
      'type: sluice/api-keys',
      'keys: [{name: a, key_sha256: a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0, subject: "user:a@b.c", team: search}]',
    ],
    prints: [
      'a.yaml:2:119 keys[0].team: the key `team` is not known here, and what it seems to mean would not hold. Did you mean `teams`?',
    ],
  },
  {
    wrong: 'a pattern that matches nothing that is configured',
    manifest: [
      'type: sluice/api-keys',
      'keys: [{name: a, key_sha256: a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0, subject: "user:a@b.c", models: ["opnai-main/*", "openai-main/*"]}]',
      '---',
      'type: provider-account/openai',
      'name: openai-main',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
    ],
    prints: [
      'a.yaml:2:128 keys[0].models[0]: warning: no model that is configured matches `opnai-main/*`. Did you mean `openai-main/*`?',
    ],
  },
  {
    wrong: 'a number in metadata',
    manifest: [
      'type: sluice/api-keys',
      'keys: [{name: a, key_sha256: a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0, subject: "user:a@b.c", metadata: {tier: 1}}]',
    ],
    prints: [
      'a.yaml:2:136 keys[0].metadata.tier: wrong type — found 1; allowed: text of up to 128 characters. Put it in quotes',
    ],
  },
  {
    wrong: 'one key twice',
    manifest: [
      'type: sluice/api-keys',
      'keys:',
      '  - {name: a, key: "${env:KEY}", subject: "user:a@b.c"}',
      '  - {name: b, key: "${env:KEY}", subject: "user:b@b.c"}',
    ],
    prints: ['a.yaml:4:5 keys[1]: the same key stands already in a.yaml:3:5'],
  },
  {
    wrong: 'keys as a map',
    manifest: ['type: sluice/api-keys', 'keys: {ci: {key: "${env:KEY}", subject: "user:a@b.c"}}'],
    prints: ['a.yaml:2:7 keys: wrong type — found a map; allowed: a list. Write a list: each entry begins with `- `'],
  },
];
