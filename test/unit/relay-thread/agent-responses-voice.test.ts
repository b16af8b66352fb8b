import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ResponsesVoice } from '../../../src/relay-thread/agent-responses-voice.ts';

interface Event {
  readonly type: string;
  readonly output_index: number;
  readonly item_id?: string;
  readonly item?: { readonly id: string };
  readonly response?: { readonly output: readonly { readonly id: string }[] };
}

function eventsOf(text: string): Event[] {
  return [...text.matchAll(/^data: (.*)$/gm)].map(([, json]) => JSON.parse(json!));
}

const called = (id: string) => ({ id, name: 'add', arguments: '{}', server: 'one' });

test('calls that end in another order are told at once, and their items are done in the order of the calls', () => {
  const voice = new ResponsesVoice('one', 'm', () => new Uint8Array());
  const calls = ['a', 'b', 'c'].map(called);
  const began = eventsOf(voice.turned(calls));
  const [a, b, c] = calls;
  const steps = [voice.result(c!, '3', false), voice.result(a!, '1', false), voice.result(b!, 'no', true)].map(
    eventsOf,
  );
  assert.deepEqual(
    steps.map((step) => step.map(({ type, item, item_id }) => `${type} ${item?.id ?? item_id}`)),
    [
      ['response.mcp_call.completed c'],
      ['response.mcp_call.completed a', 'response.output_item.done a'],
      ['response.mcp_call.failed b', 'response.output_item.done b', 'response.output_item.done c'],
    ],
  );
  const places = new Map(began.flatMap(({ item, output_index }) => (item ? [[item.id, output_index] as const] : [])));
  for (const { item, item_id, output_index } of steps.flat()) {
    assert.equal(output_index, places.get(item?.id ?? item_id ?? ''));
  }
  const [end] = eventsOf(voice.ended({ why: 'done' }, { inputTokens: 1, outputTokens: 1 }));
  assert.deepEqual(
    end?.response?.output.map(({ id }) => id),
    ['a', 'b', 'c'],
  );
});
