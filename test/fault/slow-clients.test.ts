import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { ChatStream, messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { type RunningGateway, startGateway } from '../support/gateway.ts';
import { chunkEvent, completion, DONE_EVENT, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { chatHead, RawClient } from '../support/raw-client.ts';
import { byModel, openAccount, startEvents } from '../support/scripted-provider.ts';

/** The addon has rules of ten seconds of its own; these tests stay beyond them. */
const LONG_MS = 13_000;
const STREAM_BYTES = 24 * 1024 * 1024;
const WHOLE_BYTES = 12 * 1024 * 1024;
const piece = Buffer.from(chunkEvent({ content: 'y'.repeat(8000) }));

let provider: FakeProvider;
let gateway: RunningGateway;
before(async () => {
  provider = await startProvider(
    byModel({
      m: (_request, response) => sendJson(response, 200, completion('hello')),
      // The answer has another dialect, so that the gateway has it whole before it tells its length.
      whole: (_request, response) => {
        sendJson(response, 200, {
          id: 'msg_1',
          type: 'message',
          role: 'assistant',
          model: 'whole',
          content: [{ type: 'text', text: 'z'.repeat(WHOLE_BYTES) }],
          stop_reason: 'end_turn',
          stop_sequence: null,
          usage: { input_tokens: 1, output_tokens: 1 },
        });
      },
      late: (_request, response) => {
        setTimeout(() => sendJson(response, 200, completion('late')), LONG_MS);
      },
      pauses: (_request, response) => {
        startEvents(response);
        response.write(chunkEvent({ content: 'before' }));
        setTimeout(() => response.end(chunkEvent({ content: 'after' }) + DONE_EVENT), LONG_MS);
      },
      large: (_request, response) => {
        startEvents(response);
        let left = STREAM_BYTES;
        const more = (): void => {
          while (left > 0) {
            left -= piece.length;
            if (!response.write(piece)) {
              response.once('drain', more);
              return;
            }
          }
          response.end(DONE_EVENT);
        };
        more();
      },
    }),
  );
  gateway = await startGateway({
    server: { timeouts: { body_ms: 60_000, write_ms: 60_000 } },
    manifests: [
      openAccount('p', `${provider.origin}/v1`),
      { type: 'provider-account/anthropic', name: 'a', base_url: provider.origin },
    ],
  });
});
disposeAfter(() => [gateway, provider]);

/** Calls `step` at even intervals over LONG_MS. */
async function slowly(steps: number, step: (index: number) => void): Promise<void> {
  for (let index = 0; index < steps; index += 1) {
    step(index);
    await new Promise((resolve) => setTimeout(resolve, LONG_MS / steps));
  }
}

const expected = Math.ceil(STREAM_BYTES / piece.length) * piece.length + DONE_EVENT.length;

describe('a slow client', {
  concurrency: true,
  timeout: 60_000,
}, () => {
  for (const framing of ['content-length', 'chunked'] as const) {
    test(`an upload of 2 KB/s arrives whole (${framing})`, async () => {
      const steps = 52;
      const body = JSON.stringify({ model: 'p/m', messages: [{ role: 'user', content: 'x'.repeat(steps * 500) }] });
      const client = await RawClient.open(gateway);
      client.send(chatHead([framing === 'chunked' ? 'transfer-encoding: chunked' : `content-length: ${body.length}`]));
      const size = Math.ceil(body.length / steps);
      await slowly(steps, (index) => {
        const part = body.slice(index * size, (index + 1) * size);
        client.send(framing === 'chunked' ? `${part.length.toString(16)}\r\n${part}\r\n` : part);
      });
      if (framing === 'chunked') client.send('0\r\n\r\n');
      const answer = await client.answer();
      client.leave();
      assert.equal(answer.status, 200);
      assert.ok(provider.requests.some((request) => request.body.toString() === body.replace('p/m', 'm')));
    });
  }

  test('an upload that stands still for a while arrives whole', async () => {
    const body = JSON.stringify({ model: 'p/m', messages });
    const client = await RawClient.open(gateway);
    client.send(chatHead([`content-length: ${body.length}`]) + body.slice(0, 10));
    await slowly(1, () => {});
    client.send(body.slice(10));
    assert.equal((await client.answer()).status, 200);
    client.leave();
  });

  test('a client that reads slowly loses nothing', async () => {
    const client = new ChatStream(gateway, { model: 'p/large', messages, stream: true }, { paused: true });
    const response = await client.response();
    let received = 0;
    // A little now and then: far less than the provider has to give.
    await slowly(26, () => {
      const bytes: Buffer | null = response.read(65_536) ?? response.read();
      received += bytes?.length ?? 0;
    });
    assert.ok(received > 0 && received < STREAM_BYTES / 2, `${received} bytes were read slowly`);
    const rest = await client.drain();
    assert.equal(rest.ended, 'whole');
    assert.equal(received + rest.bytes, expected);
  });

  test('a client that reads nothing of a stream for a while loses nothing', async () => {
    const client = new ChatStream(gateway, { model: 'p/large', messages, stream: true }, { paused: true });
    await client.head();
    await slowly(1, () => {});
    assert.deepEqual(await client.drain(), { bytes: expected, ended: 'whole' });
  });

  test('a client that reads nothing of an answer in one piece for a while loses nothing', async () => {
    const client = new ChatStream(gateway, { model: 'a/whole', messages, max_tokens: 10 }, { paused: true });
    const { headers } = await client.head();
    await slowly(1, () => {});
    const { bytes, ended } = await client.drain();
    assert.equal(ended, 'whole');
    assert.ok(bytes > WHOLE_BYTES);
    assert.equal(bytes, Number(headers['content-length']));
  });

  test('an answer that comes late reaches its client', async () => {
    const client = new ChatStream(gateway, { model: 'p/late', messages });
    assert.equal(await client.ended(), 'whole');
    assert.equal(client.text(), JSON.stringify(completion('late')));
  });

  test('a stream that pauses goes on', async () => {
    const client = new ChatStream(gateway, { model: 'p/pauses', messages, stream: true });
    assert.equal(await client.ended(), 'whole');
    assert.match(client.text(), /before.*after/s);
  });
});
