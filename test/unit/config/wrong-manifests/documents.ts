// biome-ignore-all lint/suspicious/noTemplateCurlyInString: `${env:NAME}` is our own syntax, not a template
import type { WrongManifest } from './wrong-manifest.ts';

/** YAML itself, kinds of manifest, and secrets. */
export const documents: readonly WrongManifest[] = [
  {
    wrong: 'an empty file',
    manifest: [''],
    prints: ['a.yaml: warning: this file holds no manifest: it is empty, or all of it is comments'],
  },
  {
    wrong: 'a file of comments',
    manifest: ['# type: sluice/server', '# listen: {port: 80}'],
    prints: ['a.yaml: warning: this file holds no manifest: it is empty, or all of it is comments'],
  },
  {
    wrong: 'a tab indents',
    manifest: ['type: sluice/server', 'listen:', '\tport: 80'],
    prints: ['a.yaml:3:1: tabs must not be used to indent. Indent with spaces'],
  },
  {
    wrong: 'a key twice in a map',
    manifest: ['type: sluice/server', 'threads: 2', 'threads: 4'],
    prints: ['a.yaml:3:1: this key stands twice in one map. Keep one of the two'],
  },
  {
    wrong: 'a key twice in one rule',
    manifest: [
      'type: gateway-rate-limiting-config',
      'rules:',
      '  - id: a',
      '    limit_to: 1',
      '    unit: requests_per_day',
      '    limit_to: 100',
    ],
    prints: ['a.yaml:6:5: this key stands twice in one map. Keep one of the two'],
  },
  {
    wrong: 'a brace that is not closed',
    manifest: ['type: sluice/server', 'listen: {port: 80'],
    prints: [
      'a.yaml:3:1: this is indented in a way that belongs nowhere, or a bracket or brace before it is not closed',
    ],
  },
  {
    wrong: 'a list in place of a map',
    manifest: ['- type: sluice/server'],
    prints: ['a.yaml:1:1: a manifest is a map — found a list of 1; allowed: a map'],
  },
  {
    wrong: 'a text in place of a map',
    manifest: ['sluice/server'],
    prints: ['a.yaml:1:1: a manifest is a map — found a text (not shown); allowed: a map'],
  },
  {
    wrong: 'no blank behind a colon',
    manifest: ['type:sluice/server'],
    prints: [
      'a.yaml:1:1: a manifest is a map — found a text (not shown); allowed: a map. Put a blank behind the colon',
    ],
  },
  {
    wrong: 'an unquoted ${…} in a flow map',
    manifest: ['type: provider-account/openai', 'name: a', 'auth_data: {type: api-key, api_key: ${env:KEY}}'],
    prints: ['a.yaml:3:38: something stands here that does not belong here. Put values with `${…}` in double quotes'],
  },
  {
    wrong: 'an unquoted value that begins with @',
    manifest: ['type: provider-account/openai', 'name: @main'],
    prints: ['a.yaml:2:7: not valid YAML: Plain value cannot start with reserved character @. Put the value in quotes'],
  },
  {
    wrong: 'an unquoted value that begins with *',
    manifest: [
      'type: sluice/api-keys',
      'keys: [{name: a, key_sha256: a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0, subject: "user:a@b.c", models: [*]}]',
    ],
    prints: [
      'a.yaml:2:128: a value that begins with `*` is the alias of an anchor, and this is none. Put the value in quotes',
    ],
  },
  {
    wrong: 'an alias without its anchor',
    manifest: ['type: sluice/server', 'log: *defaults'],
    prints: [
      'a.yaml:2:6: an alias (`*name`) names an anchor that does not stand before it. Put a value that begins with `*` in quotes',
    ],
  },
  {
    wrong: 'a tag that is not known',
    manifest: ['type: sluice/server', 'data_dir: !path ./data'],
    prints: [
      'a.yaml:2:11: a value that begins with `!` is a YAML tag, and this one is not known. Put the value in quotes',
    ],
  },
  {
    wrong: 'wrong indentation',
    manifest: ['type: sluice/server', 'listen:', '  host: 127.0.0.1', '   port: 80'],
    prints: ['a.yaml:3:9: not valid YAML: Nested mappings are not allowed in compact mappings'],
  },
  {
    wrong: 'a missing `---` between two documents',
    manifest: ['type: sluice/server', 'threads: 2', 'type: sluice/api-keys', 'keys: []'],
    prints: ['a.yaml:3:1: this key stands twice in one map. Put a line `---` between two manifests'],
  },
  {
    wrong: 'no type',
    manifest: ['name: openai-main', 'auth_data: {type: api-key, api_key: "${env:KEY}"}'],
    prints: ['a.yaml:1:1 type: this key is missing — allowed: the kind of this manifest, as `sluice/server`'],
  },
  {
    wrong: '`kind` in place of `type`',
    manifest: ['kind: sluice/server'],
    prints: [
      'a.yaml:1:1 type: this key is missing — allowed: the kind of this manifest, as `sluice/server`. Rename `kind`',
    ],
  },
  {
    wrong: 'type misspelt',
    manifest: ['tpye: sluice/server'],
    prints: [
      'a.yaml:1:1 type: this key is missing — allowed: the kind of this manifest, as `sluice/server`. Rename `tpye`',
    ],
  },
  {
    wrong: 'a configuration of LiteLLM',
    manifest: ['model_list: []'],
    prints: [
      'a.yaml:1:1 type: this is no manifest, but looks like a configuration of LiteLLM. `sluice import FILE` prints manifests that say the same',
    ],
  },
  {
    wrong: 'a configuration of Bifrost',
    manifest: ['providers: {openai: {keys: []}}'],
    prints: [
      'a.yaml:1:1 type: this is no manifest, but looks like a configuration of Bifrost. `sluice import FILE` prints manifests that say the same',
    ],
  },
  {
    wrong: 'a configuration of Portkey',
    manifest: ['targets: []'],
    prints: [
      'a.yaml:1:1 type: this is no manifest, but looks like a configuration of Portkey. `sluice import FILE` prints manifests that say the same',
    ],
  },
  {
    wrong: 'a kind that is near to none: those of its family are told',
    manifest: ['type: sluice/settings-of-all'],
    prints: [
      'a.yaml:1:7 type: there is no kind `sluice/settings-of-all`. Supported are sluice/api-keys, sluice/cache, sluice/identity-provider, sluice/server',
    ],
  },
  {
    wrong: 'a kind misspelt',
    manifest: ['type: sluice/servr'],
    prints: ['a.yaml:1:7 type: there is no kind `sluice/servr`. Did you mean `sluice/server`?'],
  },
  {
    wrong: 'a kind in the plural',
    manifest: ['type: provider-accounts/openai', 'name: a'],
    prints: ['a.yaml:1:7 type: there is no kind `provider-accounts/openai`. Did you mean `provider-account/openai`?'],
  },
  {
    wrong: 'a kind of the reference product misspelt',
    manifest: ['type: gateway-rate-limit-config', 'rules: []'],
    prints: [
      'a.yaml:1:7 type: there is no kind `gateway-rate-limit-config`. Did you mean `gateway-rate-limiting-config`?',
    ],
  },
  {
    wrong: 'a kind that nothing reads yet',
    manifest: ['type: chat_prompt', 'rules: []'],
    prints: [
      'a.yaml:1:7 type: the kind `chat_prompt` is not supported yet. Take the document out; nothing in it would have an effect',
    ],
  },
  {
    wrong: 'a kind that is a list',
    manifest: ['type: [sluice/server]'],
    prints: ['a.yaml:1:7 type: wrong type — found a list of 1; allowed: the kind of this manifest, as `sluice/server`'],
  },
  {
    wrong: 'a second server',
    manifest: ['type: sluice/server', '---', 'type: sluice/server', 'threads: 2'],
    prints: ['a.yaml:3:7 type: the kind `sluice/server` stands already in a.yaml:1:7'],
  },
  {
    wrong: 'a variable that is not set',
    manifest: ['type: provider-account/openai', 'name: a', 'auth_data: {type: api-key, api_key: "${env:OPENAI_KEY}"}'],
    prints: [
      'a.yaml:3:37 auth_data.api_key: the environment variable OPENAI_KEY is not set. Set it where the gateway is started, or in a file of --dotenv',
    ],
  },
  {
    wrong: 'a variable that is set to nothing',
    manifest: ['type: provider-account/openai', 'name: a', 'auth_data: {type: api-key, api_key: "${env:EMPTY}"}'],
    prints: [
      'a.yaml:3:37 auth_data.api_key: this value is not allowed — found an empty text; allowed: one line of text, 1 to 65536 characters, without control characters. What `${…}` stands for is empty',
    ],
  },
  {
    wrong: 'a shell variable',
    manifest: ['type: provider-account/openai', 'name: a', 'auth_data: {type: api-key, api_key: "${KEY}"}'],
    prints: [
      'a.yaml:3:37 auth_data.api_key: warning: `${…}` is left as it is — allowed: `${env:NAME}`, `${file:PATH}`, or `$${` for a literal `${`',
      'a.yaml:3:37 auth_data.api_key: warning: a secret stands literally in this file. Keep it out of the file: "${env:NAME}" or "${file:PATH}"',
    ],
  },
  {
    wrong: 'a file that is not there',
    manifest: [
      'type: provider-account/openai',
      'name: a',
      'auth_data: {type: api-key, api_key: "${file:./openai.key}"}',
    ],
    prints: ['a.yaml:3:37 auth_data.api_key: cannot read the file ./openai.key: there is no such file or folder'],
  },
  {
    wrong: 'a secret that stands in the file',
    manifest: ['type: provider-account/openai', 'name: a', 'auth_data: {type: api-key, api_key: sk-proj-secret}'],
    prints: [
      'a.yaml:3:37 auth_data.api_key: warning: a secret stands literally in this file. Keep it out of the file: "${env:NAME}" or "${file:PATH}"',
    ],
  },
  {
    wrong: 'a secret with a line end',
    manifest: [
      'type: provider-account/openai',
      'name: a',
      'auth_data: {type: api-key, api_key: "${env:KEY_WITH_SPACE}"}',
    ],
    prints: [
      'a.yaml:3:37 auth_data.api_key: this value is not allowed — found a text (not shown); allowed: a secret without white space around it',
    ],
  },
  {
    wrong: 'a number from a variable',
    manifest: ['type: sluice/server', 'listen: {port: "${env:PORT}"}'],
    prints: [
      'a.yaml:2:16 listen.port: wrong type — found a text (not shown); allowed: a whole number from 0 to 65535. `${…}` always gives text; write this value into the file',
    ],
  },
];
