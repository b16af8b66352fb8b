import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allPlugs, wiresOf } from '../../src/plugs.ts';
import { declaredFate } from './features.ts';
import { RESPONSE_FEATURES, responseFateOf, WIRES_OF_RESPONSES } from './responses-features.ts';

const WIRES = wiresOf(allPlugs());

/* The table of docs/providers.md is made of these declarations: what is refused or left out is tried as well as the rest. */

for (const [column, { wire: name, title, model }] of WIRES_OF_RESPONSES.entries()) {
  const wire = WIRES.find((each) => each.name === name);
  assert.ok(wire);
  for (const feature of RESPONSE_FEATURES) {
    test(`${title} gets of a request for a response what is declared of this: ${feature.name}`, () => {
      assert.equal(responseFateOf(feature, wire, model), declaredFate(feature, column));
    });
  }
}

test('each feature of Responses is declared for each column, and each wire that they are translated to has one', () => {
  for (const { declared, name } of RESPONSE_FEATURES) assert.equal(declared.length, WIRES_OF_RESPONSES.length, name);
  const shown = new Set<string>(WIRES_OF_RESPONSES.map(({ wire }) => wire));
  const translated = WIRES.filter(
    (wire) => wire.operation === 'chat' && wire.translation && wire.envelope === undefined,
  );
  assert.deepEqual(
    translated.map(({ name }) => name).filter((name) => !shown.has(name)),
    [],
  );
});
