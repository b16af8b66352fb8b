import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allPlugs, wiresOf } from '../../src/plugs.ts';
import { declaredFate } from './features.ts';
import { MESSAGE_FEATURES, messageFateOf, WIRES_OF_MESSAGES } from './messages-features.ts';

const WIRES = wiresOf(allPlugs());

/* The table of docs/providers.md is made of these declarations: what is refused or left out is tried as well as the rest. */

for (const [column, { wire: name, title, model }] of WIRES_OF_MESSAGES.entries()) {
  const wire = WIRES.find((each) => each.name === name);
  assert.ok(wire);
  for (const feature of MESSAGE_FEATURES) {
    test(`${title} gets of a request in Anthropic’s form what is declared of this: ${feature.name}`, () => {
      assert.equal(messageFateOf(feature, wire, model), declaredFate(feature, column));
    });
  }
}

test('each feature of Messages is declared for each column, and each wire that they are translated to has one', () => {
  for (const { declared, name } of MESSAGE_FEATURES) assert.equal(declared.length, WIRES_OF_MESSAGES.length, name);
  const shown = new Set<string>(WIRES_OF_MESSAGES.map(({ wire }) => wire));
  const translated = WIRES.filter(
    (wire) => wire.operation === 'chat' && wire.translation && wire.envelope === undefined,
  );
  assert.deepEqual(
    translated.map(({ name }) => name).filter((name) => !shown.has(name)),
    [],
  );
});
