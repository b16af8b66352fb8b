import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LocalExchange } from '../../../src/core/local-exchange.ts';
import { RequestLogSender } from '../../../src/relay-thread/request-log-sender.ts';
import type { BodyPlan } from '../../../src/request-log/body-policy.ts';
import type { CapturedMessage } from '../../../src/threads/request-log-messages.ts';

const PLAN: BodyPlan = { project: undefined, retentionMs: 1_000, redact: [] };
const MAX_BODY_BYTES = 10_000;
const ALL_BYTES = 100_000;
const THREADS = 2;

function sender(): { readonly sender: RequestLogSender; readonly sent: CapturedMessage[] } {
  const sent: CapturedMessage[] = [];
  const made = new RequestLogSender({
    thread: 1,
    threads: THREADS,
    bounds: () => ({ maxBodyBytes: MAX_BODY_BYTES, maxQueuedBytes: ALL_BYTES }),
    wantsRecords: () => false,
    send: (message) => void sent.push(message),
  });
  return { sender: made, sent };
}

function exchange(bytes: number): LocalExchange {
  return new LocalExchange(
    {
      path: '/chat/completions',
      principal: { subject: 'user:a', keyId: 'k', teams: [], models: undefined, metadata: {} },
      body: Buffer.alloc(bytes, 'q'),
      scan: () => ({ advance() {} }),
    },
    { take: () => true, over() {} },
  );
}

test('bodies are kept up to their bound, and of the rest only the length is told', () => {
  const { sender: log, sent } = sender();
  const asked = exchange(50_000);
  const capture = log.begin(asked, PLAN);
  asked.sink.start(200, ['content-type', 'text/plain']);
  for (let chunk = 0; chunk < 100; chunk += 1) asked.sink.write(Buffer.alloc(1_000, String(chunk % 10)));
  log.end(asked, capture, undefined);
  log.flush();
  const { request, response, status } = sent[0]!.exchanges[0]!;
  assert.deepEqual([status, request.bytes, response.bytes, response.contentType], [200, 50_000, 100_000, 'text/plain']);
  for (const { start } of [request, response]) assert.ok(start!.length <= MAX_BODY_BYTES + 1_024, `${start!.length}`);
  assert.equal(Buffer.from(response.start!).toString('latin1', 990, 1_010), `${'0'.repeat(10)}${'1'.repeat(10)}`);
});

test('a thread holds no more than its share: what finds no room is dropped and counted, and room comes back', () => {
  const { sender: log, sent } = sender();
  const open = Array.from({ length: 20 }, () => {
    const asked = exchange(8_000);
    return { asked, capture: log.begin(asked, PLAN) };
  });
  const held = open.reduce((sum, { capture }) => sum + capture.heldBytes, 0);
  assert.ok(held <= ALL_BYTES / THREADS, `${held}`);
  for (const { asked, capture } of open) log.end(asked, capture, undefined);
  log.flush();
  const [message] = sent;
  assert.equal(message!.exchanges.length + message!.dropped, open.length);
  assert.ok(message!.dropped > 0 && message!.exchanges.length > 0);
  assert.equal(message!.bytes, held);
  const before = log.begin(exchange(8_000), PLAN);
  assert.equal(before.isLost, true);
  log.release(message!.bytes);
  assert.equal(log.begin(exchange(8_000), PLAN).isLost, false);
});

test('nothing is seen of an exchange that is not captured', () => {
  const asked = exchange(10);
  assert.equal(asked.sink.tap, undefined);
});
