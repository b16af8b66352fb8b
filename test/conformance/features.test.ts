import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { openAiChat } from '../../src/dialects/openai-chat/index.ts';
import { allPlugs, wiresOf } from '../../src/plugs.ts';
import { formOf } from '../../src/relay/choose-mount.ts';
import { declaredFate, FEATURES, fateOf, WIRES_OF_TABLE } from './features.ts';

const WIRES = wiresOf(allPlugs());

/* The table of docs/providers.md is made of these declarations: what is refused or left out is tried as well as the rest. */

for (const [column, { wire: name, title, model }] of WIRES_OF_TABLE.entries()) {
  const wire = WIRES.find((each) => each.name === name);
  assert.ok(wire);
  for (const feature of FEATURES) {
    test(`${title} gets what is declared of this: ${feature.name}`, () => {
      assert.equal(fateOf(feature, wire, model), declaredFate(feature, column));
    });
  }
}

test('each feature is declared for each column, and each wire that chats are translated to has one', () => {
  for (const { declared, name } of FEATURES) assert.equal(declared.length, WIRES_OF_TABLE.length, name);
  const translated = WIRES.filter((wire) => wire.operation === 'chat' && formOf(wire) !== openAiChat.name);
  const shown = new Set<string>(WIRES_OF_TABLE.map(({ wire }) => wire));
  assert.deepEqual(
    translated.map(({ name }) => name).filter((name) => !shown.has(name)),
    [],
  );
});

/** Read everywhere before a form is chosen. */
const OF_EVERY_FORM = ['messages', 'model', 'stream', 'stream_options'];

test('every parameter of chat completions that the official SDK knows has a row', () => {
  const types = readFileSync(
    new URL('resources/chat/completions/completions.d.ts', import.meta.resolve('openai')),
    'utf8',
  );
  const start = types.indexOf('interface ChatCompletionCreateParamsBase');
  const known = types.slice(start, types.indexOf('\n}', start)).matchAll(/^ {4}(\w+)\??:/gm);
  const names = [...known].map(([, name]) => name!);
  assert.ok(names.length > 30, 'the types of the SDK are written as they were');
  const rows = new Set([...OF_EVERY_FORM, ...FEATURES.flatMap(({ body }) => Object.keys(body))]);
  assert.deepEqual(
    names.filter((name) => !rows.has(name)),
    [],
  );
});
