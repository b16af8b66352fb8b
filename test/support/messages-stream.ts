import assert from 'node:assert/strict';

/** A message as a client of Anthropic's form holds it. */
export interface Message {
  readonly content: Record<string, unknown>[];
  readonly stop: unknown;
  readonly usage: Record<string, unknown>;
}

/** As JSON.parse gives it. */
type Event = ReturnType<typeof JSON.parse>;

/** The message that a stream tells, put together without any code of ours; that its events are in order is checked. */
export function messageOf(stream: string): Message {
  let usage: Record<string, unknown> = {};
  let stop: unknown;
  let open: number | undefined;
  let ended = false;
  const content: Record<string, unknown>[] = [];
  const inputs = new Map<number, string>();
  for (const each of stream.split('\n\n').filter((text) => text !== '')) {
    const [name, data] = each.split('\n') as [string, string];
    const event: Event = JSON.parse(data.slice('data: '.length));
    assert.equal(name, `event: ${event.type}`);
    assert.ok(!ended, 'nothing is behind the end');
    const { index } = event;
    switch (event.type) {
      case 'message_start':
        usage = { ...event.message.usage };
        break;
      case 'content_block_start':
        assert.equal(open, undefined, 'one block is open at a time');
        assert.equal(index, content.length);
        content.push({ ...event.content_block });
        open = index;
        break;
      case 'content_block_delta':
        addDelta(content[index]!, event.delta, index, inputs);
        break;
      case 'content_block_stop':
        assert.equal(index, open);
        open = undefined;
        break;
      case 'message_delta':
        assert.equal(open, undefined);
        stop = event.delta.stop_reason;
        usage = { ...usage, ...event.usage };
        break;
      case 'message_stop':
        ended = true;
        break;
      default:
        assert.equal(event.type, 'ping');
    }
  }
  assert.ok(ended, 'a message has its end');
  for (const [index, text] of inputs) content[index]!['input'] = inputOf(text);
  return { content, stop, usage };
}

/** A message that stopped for its length may hold half of an input. */
function inputOf(text: string): unknown {
  try {
    return text === '' ? {} : JSON.parse(text);
  } catch {
    // As clients keep it.
    return { INVALID_JSON: text };
  }
}

function addDelta(
  block: Record<string, unknown>,
  delta: Record<string, string>,
  index: number,
  inputs: Map<number, string>,
): void {
  if (delta['text'] !== undefined) block['text'] = `${block['text']}${delta['text']}`;
  if (delta['thinking'] !== undefined) block['thinking'] = `${block['thinking']}${delta['thinking']}`;
  if (delta['signature'] !== undefined) block['signature'] = delta['signature'];
  if (delta['partial_json'] !== undefined) inputs.set(index, (inputs.get(index) ?? '') + delta['partial_json']);
}

/** The same of a whole answer. */
export function wholeMessage(body: string): Message {
  const { type, role, content, stop_reason: stop, usage } = JSON.parse(body);
  assert.deepEqual([type, role], ['message', 'assistant']);
  return { content, stop, usage };
}
