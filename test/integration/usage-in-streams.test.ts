import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { ask, messages } from '../support/chat-client.ts';
import { cuttings } from '../support/cuttings.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, type RunningGateway, recordOf, startGateway } from '../support/gateway.ts';
import {
  chunkEvent,
  completion,
  DONE_EVENT,
  type FakeProvider,
  sendJson,
  startProvider,
  USAGE_EVENT,
} from '../support/provider.ts';
import { openAccount, startEvents } from '../support/scripted-provider.ts';

const usage = { prompt_tokens: 5, completion_tokens: 7, total_tokens: 12 };
const begin = chunkEvent({ role: 'assistant', content: '' }) + chunkEvent({ content: 'Hé, "usage": {} ' });
const finish = chunkEvent({}, 'stop');

interface Shape {
  /** What the client must get. */
  kept: string;
  /** What the provider sends, where that is more. */
  sent?: string;
}

/** What providers were seen to do; `asked`: include_usage stands in the request. */
const shapes: Record<string, (asked: boolean) => Shape> = {
  'a usage event of its own, as OpenAI': () => ({
    sent: begin + finish + USAGE_EVENT + DONE_EVENT,
    kept: begin + finish + DONE_EVENT,
  }),
  'usage on the chunk with the finish reason, as DeepSeek and Mistral': () => ({
    kept: begin + chunkEvent({ content: '' }, 'stop', { usage }) + DONE_EVENT,
  }),
  'usage null on every chunk and an event of its own': () => ({
    sent: chunkEvent({ content: 'a' }, null, { usage: null }) + finish + USAGE_EVENT + DONE_EVENT,
    kept: chunkEvent({ content: 'a' }, null, { usage: null }) + finish + DONE_EVENT,
  }),
  'usage that grows from chunk to chunk, as vLLM': () => ({
    kept:
      chunkEvent({ content: 'a' }, null, { usage: { prompt_tokens: 5, completion_tokens: 1, total_tokens: 6 } }) +
      chunkEvent({ content: 'b' }, null, { usage: { prompt_tokens: 5, completion_tokens: 4, total_tokens: 9 } }) +
      chunkEvent({}, 'stop', { usage }) +
      DONE_EVENT,
  }),
  'usage both on the last chunk and as an event of its own': () => ({
    sent: begin + chunkEvent({}, 'stop', { usage }) + USAGE_EVENT + DONE_EVENT,
    kept: begin + chunkEvent({}, 'stop', { usage }) + DONE_EVENT,
  }),
  'carriage returns before the line feeds': () => ({
    sent: (begin + finish + USAGE_EVENT + DONE_EVENT).replaceAll('\n', '\r\n'),
    kept: (begin + finish + DONE_EVENT).replaceAll('\n', '\r\n'),
  }),
  'comments and event names between': () => ({
    sent: `: processing\n\n${begin}: still\n\nevent: message\n${finish}${USAGE_EVENT}: bye\n\n${DONE_EVENT}`,
    kept: `: processing\n\n${begin}: still\n\nevent: message\n${finish}: bye\n\n${DONE_EVENT}`,
  }),
  'no [DONE] at the end': () => ({ sent: begin + finish + USAGE_EVENT, kept: begin + finish }),
};

/** How the next answer is cut, by request. */
const plans = new Map<string, Buffer[]>();

let provider: FakeProvider;
let gateway: RunningGateway;
before(async () => {
  provider = await startProvider((request, response) => {
    const asked = JSON.parse(request.body.toString());
    if (asked.model === 'whole') {
      sendJson(response, 200, completion('hello'));
      return;
    }
    if (asked.model === 'whole-without') {
      sendJson(response, 200, { ...completion('hello world'), usage: undefined });
      return;
    }
    startEvents(response);
    for (const piece of plans.get(asked.user) ?? []) response.write(piece);
    response.end();
  });
  gateway = await startGateway({ manifests: [openAccount('p', `${provider.origin}/v1`)] });
});
disposeAfter(() => [gateway, provider]);

let count = 0;
/** One stream cut like this; gives what the client got and the request's id. */
async function streamed(pieces: Buffer[], more: object = {}): Promise<{ text: string; id: string }> {
  count += 1;
  const id = `plan-${count}`;
  plans.set(id, pieces);
  const response = await ask(
    gateway,
    { model: 'p/stream', messages, stream: true, user: id, ...more },
    { headers: { 'x-request-id': id } },
  );
  assert.equal(response.status, 200);
  const text = await response.text();
  plans.delete(id);
  return { text, id };
}

async function assertMetered(id: string): Promise<void> {
  const record = await recordOf(gateway, id);
  assert.deepEqual(
    [
      record['gen_ai.usage.input_tokens'],
      record['gen_ai.usage.output_tokens'],
      record['sluice.usage.source'],
      record['sluice.outcome'],
    ],
    [5, 7, 'provider', 'ok'],
  );
}

describe('usage is known for every stream, once, and the client sees it only where it asked', {
  concurrency: true,
}, () => {
  for (const [name, shapeOf] of Object.entries(shapes)) {
    test(`usage of a stream is metered and not shown where the client did not ask: ${name}`, async () => {
      const { sent, kept } = shapeOf(false);
      const { text, id } = await streamed([Buffer.from(sent ?? kept)]);
      assert.equal(text, kept);
      await assertMetered(id);
    });

    test(`usage of a stream is metered and shown where the client asked: ${name}`, async () => {
      const { sent, kept } = shapeOf(true);
      const { text, id } = await streamed([Buffer.from(sent ?? kept)], { stream_options: { include_usage: true } });
      assert.equal(text, sent ?? kept);
      await assertMetered(id);
    });

    test(`usage of a stream is metered once however the network cuts it: ${name}`, async () => {
      const { sent, kept } = shapeOf(false);
      const bytes = Buffer.from(sent ?? kept);
      const all = [...cuttings(bytes, 150)];
      const ids: string[] = [];
      // Sixteen at a time: enough to keep both sides busy.
      while (all.length > 0) {
        const results = await Promise.all(all.splice(0, 16).map((pieces) => streamed(pieces)));
        for (const { text, id } of results) {
          assert.equal(text, kept);
          ids.push(id);
        }
      }
      await recordOf(gateway, ids.at(-1)!);
      for (const id of ids) await assertMetered(id);
    });
  }

  test('each token of a stream is counted once in the metrics', async () => {
    const more = { model: 'p/counted' };
    await streamed([Buffer.from(begin + finish + USAGE_EVENT + DONE_EVENT)], more);
    await streamed([Buffer.from(begin + chunkEvent({}, 'stop', { usage }) + USAGE_EVENT + DONE_EVENT)], more);
    const counted = () => gateway.metric('ai_gateway_output_tokens_total', { model_name: 'p/counted' });
    await eventually('both are counted', async () => (await counted()) >= 14);
    assert.equal(await counted(), 14);
  });
});

describe('the question that the gateway adds', () => {
  const optionsSent = () => JSON.parse(provider.requests.at(-1)!.body.toString()).stream_options;
  const answer = [Buffer.from(begin + finish + DONE_EVENT)];

  test('the question for usage that the gateway adds keeps what else stands in stream_options', async () => {
    await streamed(answer, { stream_options: { include_obfuscation: false } });
    assert.deepEqual(optionsSent(), { include_obfuscation: false, include_usage: true });
    await streamed(answer, { stream_options: { include_usage: false } });
    assert.deepEqual(optionsSent(), { include_usage: true });
    await streamed(answer, { stream_options: null });
    assert.deepEqual(optionsSent(), { include_usage: true });
  });

  test('no question for usage is added to a request that is no stream', async () => {
    await (await ask(gateway, { model: 'p/whole', messages, stream: false })).text();
    assert.equal(optionsSent(), undefined);
  });
});

describe('usage that the provider does not tell', { concurrency: true }, () => {
  test('usage that the provider does not tell is estimated for a stream, and marked as estimate', async () => {
    const words = chunkEvent({ content: 'the quick brown fox jumps over the lazy dog' });
    const sent = begin + words.repeat(5) + finish + DONE_EVENT;
    const { text, id } = await streamed([Buffer.from(sent)]);
    assert.equal(text, sent);
    const record = await recordOf(gateway, id);
    assert.equal(record['sluice.usage.source'], 'estimate');
    const output = Number(record['gen_ai.usage.output_tokens']);
    assert.ok(output > 30 && output < 90, `${output} tokens for 45 words`);
    assert.ok(Number(record['gen_ai.usage.input_tokens']) > 0);
  });

  test('usage that the provider does not tell is estimated for a whole answer, and marked as estimate', async () => {
    const headers = { 'x-request-id': 'whole-estimate' };
    await (await ask(gateway, { model: 'p/whole-without', messages }, { headers })).text();
    const record = await recordOf(gateway, 'whole-estimate');
    assert.equal(record['sluice.usage.source'], 'estimate');
    assert.ok(Number(record['gen_ai.usage.output_tokens']) > 0);
  });
});
