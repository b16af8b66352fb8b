import assert from 'node:assert/strict';
import { it } from 'node:test';
import { shownText, writtenText } from '../../../src/config/shown-text.ts';

const SOURCE = `type: sluice/server
operator: {admin_key: "top-secret-1"}
store: {database: "postgres://sluice:top-secret-2@db/sluice"}
mcp: {secret: top-secret-9}   # was top-secret-10-before, see the wiki
# further_key: top-secret-3
# Authorization: Bearer top-secret-11
# a remark
---
type: provider-account/openai
name: main
auth_data:
  type: api-key
  api_key: top-secret-4
  further_api_keys: [top-secret-5, "\${env:OTHER}"]
  private_key: |
    top-secret-6
    more of top-secret-6
headers: {authorization: top-secret-7, x-team: blue}
---
type: sluice/api-keys
keys: [{name: ci, key: 'top-secret-8', subject: "virtualaccount:ci"}, {name: b, key: "\${file:./b}", subject: "user:b@example.com"}]
rules: [{when: [{key: project, values: [apollo]}]}]
---
type: mcp-server/remote
name: tools
additional_headers: {x-honeycomb-team: top-secret-12}
---
type: mcp-server/stdio
name: child
command: node
args: [--api-key=top-secret-13, "# top-secret-14"]
---
type: provider-account/virtual-model
name: v
integrations: [{headers_override: {set: {authorization: top-secret-15}}}]
`;

it('a file of the configuration is shown without any secret that stands in it, and with all else', () => {
  const shown = shownText(SOURCE)?.text ?? '';
  assert.doesNotMatch(shown, /top-secret/);
  for (const kept of [
    'api-key',
    'name: ci',
    '${env:OTHER}',
    '${file:./b}',
    'key: project',
    'name: main',
    '# a remark',
    'command: node',
  ])
    assert.ok(shown.includes(kept), kept);
});

it('a file that was shown and not edited is written as it was, to the byte', () => {
  const { text = '', secrets = [] } = shownText(SOURCE) ?? {};
  assert.deepEqual(writtenText(text, secrets), { text: SOURCE });
});

it('a placeholder of a secret that the file does not have is refused, and not written', () => {
  assert.match(String(writtenText('key: (secret 9)', ['one'])), /no \(secret 9\)/);
});

it('a file that is no YAML is not shown, since nobody knows where its secrets are', () => {
  assert.equal(shownText('a: [unclosed\nb: "x'), undefined);
});
