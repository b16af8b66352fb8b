import assert from 'node:assert/strict';
import { it } from 'node:test';

interface Place {
  readonly type: string | undefined;
  readonly path: readonly string[];
  readonly isEmpty: boolean;
}
const module = new URL('../../../src/console/pages/yaml-place.js', import.meta.url).href;
const { placeAt }: { placeAt(text: string, cursor: number): Place } = await import(module);

/** `|` is the cursor. */
function placeIn(marked: string): string {
  const { type, path } = placeAt(marked.replace('|', ''), marked.indexOf('|'));
  return `${type ?? '?'} ${path.join('.')}`;
}

const TWO = `type: user
email: a@example.com
---
type: gateway-rate-limiting-config
rules:
  - id: all
    when:
      subjects: [user:a]
    limit_to: 600
`;

it('the help of the editor follows the cursor through maps, lists and documents', () => {
  const at = (line: string) => placeIn(TWO.replace(line, `${line}|`));
  assert.equal(at('email'), 'user email');
  assert.equal(at('rules:'), 'gateway-rate-limiting-config rules');
  assert.equal(at('  - id'), 'gateway-rate-limiting-config rules.id');
  assert.equal(at('    when:'), 'gateway-rate-limiting-config rules.when');
  assert.equal(at('      subjects'), 'gateway-rate-limiting-config rules.when.subjects');
  assert.equal(at('    limit_to: 6'), 'gateway-rate-limiting-config rules.limit_to');
});

it('a list as deep as its key belongs to that key all the same', () => {
  assert.equal(placeIn('type: t\na:\n  rules:\n  - id: x|\n    more: y\n'), 't a.rules.id');
  assert.equal(placeIn('type: t\nrules:\n- id: x\n  limit: y|\n'), 't rules.limit');
});

it('keys in brackets are found on their line', () => {
  assert.equal(placeIn('type: t\nrules:\n  - {id: all, when: {subjects: [us|er:a]}}\n'), 't rules.when.subjects');
  assert.equal(placeIn('type: t\noperator: {host: a, po|rt: 1}\n'), 't operator.port');
  assert.equal(placeIn('type: t\noperator: {host: "x, y:", port: |1}\n'), 't operator.port');
});

it('on an empty line the cursor says how deep it is, and a text that is no YAML is told nothing of', () => {
  assert.equal(placeIn('type: t\nrules:\n  - id: x\n    |\n'), 't rules');
  assert.equal(placeIn('type: t\nrules:\n  - id: x\n|\n'), 't ');
  assert.equal(placeIn('{{{|'), '? ');
  assert.equal(placeIn('|'), '? ');
});
