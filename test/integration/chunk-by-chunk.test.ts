import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { before, describe, test } from 'node:test';
import { ChatStream, messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { type RunningGateway, startGateway } from '../support/gateway.ts';
import { chunkEvent, DONE_EVENT, type FakeProvider, startProvider } from '../support/provider.ts';
import { byModel, gate, openAccount } from '../support/scripted-provider.ts';

const CHUNKS = 200;
/** The provider's answer, handed to the test, which decides when each chunk is sent. */
const answers: ((response: ServerResponse) => void)[] = [];
const hand = (type: string) => (_request: unknown, response: ServerResponse) => {
  response.writeHead(200, { 'content-type': type });
  response.flushHeaders();
  answers.shift()?.(response);
};

let provider: FakeProvider;
let gateway: RunningGateway;
before(async () => {
  provider = await startProvider(
    byModel({
      stream: hand('text/event-stream'),
      claude: hand('text/event-stream'),
    }),
  );
  gateway = await startGateway({
    manifests: [
      openAccount('p', `${provider.origin}/v1`),
      { type: 'provider-account/anthropic', name: 'a', base_url: provider.origin },
    ],
  });
});
disposeAfter(() => [gateway, provider]);

async function open(body: object): Promise<{ client: ChatStream; response: ServerResponse }> {
  const opened = gate<ServerResponse>();
  answers.push(opened.open);
  const client = new ChatStream(gateway, { messages, ...body });
  return { client, response: await opened.promise };
}

/** Sends the next only after this one was seen; stands still for ever where anything is held back. */
async function oneByOne(
  client: ChatStream,
  response: ServerResponse,
  pieces: readonly [string, string][],
): Promise<void> {
  for (const [sent, seen] of pieces) {
    response.write(sent);
    await client.until(seen);
  }
}

describe('from the first content on each upstream event reaches the client before the next one is sent', {
  concurrency: true,
  timeout: 20_000,
}, () => {
  test('each chunk that passes through reaches the client before the next one is sent', async () => {
    const { client, response } = await open({ model: 'p/stream', stream: true });
    const pieces = Array.from({ length: CHUNKS }, (_, index) => chunkEvent({ content: `piece ${index}.` }));
    await oneByOne(
      client,
      response,
      pieces.map((piece, index) => [piece, `piece ${index}.`]),
    );
    response.end(DONE_EVENT);
    assert.equal(await client.ended(), 'whole');
    assert.equal(client.text(), pieces.join('') + DONE_EVENT);
  });

  test('each chunk of text, tool calls and reasoning reaches the client before the next one is sent', async () => {
    const { client, response } = await open({ model: 'p/stream', stream: true });
    await oneByOne(client, response, [
      [chunkEvent({ role: 'assistant', content: null }) + chunkEvent({ reasoning_content: 'hmm' }), 'hmm'],
      [chunkEvent({ tool_calls: [{ index: 0, id: 'c1', function: { name: 'f', arguments: '' } }] }), 'c1'],
      [chunkEvent({ tool_calls: [{ index: 0, function: { arguments: '{"a' } }] }), '{\\"a'],
      [chunkEvent({}, 'tool_calls'), '"finish_reason":"tool_calls"'],
    ]);
    response.end(DONE_EVENT);
    assert.equal(await client.ended(), 'whole');
  });

  test('each translated chunk reaches the client before the next one is sent', async () => {
    const { client, response } = await open({ model: 'a/claude', stream: true });
    const event = (value: { type: string } & Record<string, unknown>) =>
      `event: ${value.type}\ndata: ${JSON.stringify(value)}\n\n`;
    response.write(
      event({ type: 'message_start', message: { id: 'm', model: 'c', role: 'assistant', content: [], usage: {} } }) +
        event({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }),
    );
    await oneByOne(
      client,
      response,
      Array.from({ length: CHUNKS }, (_, index) => [
        event({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: `piece ${index}.` } }),
        `piece ${index}.`,
      ]),
    );
    response.end(
      event({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 3 } }) +
        event({ type: 'message_stop' }),
    );
    assert.equal(await client.ended(), 'whole');
    assert.ok(client.text().endsWith(DONE_EVENT));
  });
});

test('a thousand chunks sent at once arrive in order and whole', async () => {
  const { client, response } = await open({ model: 'p/stream', stream: true });
  sendThousand(response);
  assert.equal(await client.ended(), 'whole');
  assert.equal(client.text(), thousand.join('') + DONE_EVENT);
});

const thousand = Array.from({ length: 1000 }, (_, index) => chunkEvent({ content: `piece ${index} of a thousand` }));

function sendThousand(response: ServerResponse): void {
  for (const piece of thousand) response.write(piece);
  response.end(DONE_EVENT);
}
