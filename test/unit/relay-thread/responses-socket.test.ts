import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { GatewayError } from '../../../src/core/errors.ts';
import { openAiResponses } from '../../../src/dialects/openai-responses/index.ts';
import type { AcceptedSocket, ClientSocket, SocketHandler } from '../../../src/edge/web-sockets.ts';
import { responsesSocket } from '../../../src/relay-thread/responses-socket.ts';
import { SharedCounters } from '../../../src/threads/shared-counters.ts';

const HOUR_MS = 3_600_000;

interface Opened {
  readonly handler: SocketHandler;
  // biome-ignore lint/suspicious/noExplicitAny: as JSON.parse gives it.
  readonly sent: any[];
  readonly closed: { readonly code: number; readonly reason: string }[];
}

function open(
  { mock }: TestContext,
  renewed: (principal: object) => unknown = (principal) => principal,
  counters = new SharedCounters(1, 0),
): Opened {
  mock.timers.enable({ apis: ['setTimeout'] });
  const limits = { maxBodyBytes: 1_000_000, maxBodyMemoryBytes: 1_000_000, maxInFlight: 8 };
  const pipeline = { snapshot: () => ({ settings: { limits, responses: { keep: true } } }) };
  // A turn that goes on from an answer is under way for ever.
  const rows = { chain: () => new Promise(() => {}) };
  const options = { dialect: openAiResponses, responses: { pipeline, rows }, counters, renewed };
  const sent: unknown[] = [];
  const closed: Opened['closed'] = [];
  const socket = {
    principal: { subject: 'user:a' },
    headers: {},
    send: (text: string) => {
      sent.push(JSON.parse(text));
      return true;
    },
    close: (code: number, reason: string) => closed.push({ code, reason }),
  } as unknown as ClientSocket;
  const accepted = responsesSocket(options as never).accept({} as never) as AcceptedSocket;
  return { handler: accepted.open(socket), sent, closed };
}

const message = (event: object) => Buffer.from(JSON.stringify({ type: 'response.create', model: 'a/b', ...event }));

test('a socket that is an hour old says so and ends, and not a second before', (t) => {
  const { sent, closed } = open(t);
  t.mock.timers.tick(HOUR_MS - 1_000);
  assert.deepEqual([sent, closed], [[], []]);
  t.mock.timers.tick(1_000);
  assert.equal(closed[0]?.code, 1000);
  assert.deepEqual(
    sent.map(({ type, status, error }) => [type, status, error.code]),
    [['error', 400, 'websocket_connection_limit_reached']],
  );
});

test('a socket that its client closed says nothing more at the end of its hour', (t) => {
  const { handler, sent, closed } = open(t);
  handler.closed(1000, '');
  t.mock.timers.tick(HOUR_MS);
  assert.deepEqual([sent, closed], [[], []]);
});

test('a turn is prepared behind the latest one of its socket alone', (t) => {
  const { handler, sent } = open(t);
  handler.message(message({ generate: false, input: 'Hi' }), false);
  const { response } = sent.at(-1);
  assert.equal(response.status, 'completed');
  handler.message(message({ generate: false, input: 'And now?', previous_response_id: response.id }), false);
  assert.equal(sent.at(-1).type, 'response.completed');
  handler.message(message({ generate: false, input: 'And now?', previous_response_id: response.id }), false);
  assert.deepEqual([sent.at(-1).status, sent.at(-1).error.code], [400, 'previous_response_not_found']);
});

test('a turn of a client whose key is good no more is refused, and ends the socket with 1008', (t) => {
  let isGood = true;
  const { handler, sent, closed } = open(t, (principal) => (isGood ? principal : new GatewayError('invalid_api_key')));
  handler.message(message({ generate: false, input: 'Hi' }), false);
  assert.equal(sent.at(-1).type, 'response.completed');
  isGood = false;
  handler.message(message({ generate: false, input: 'And now?' }), false);
  assert.deepEqual([sent.at(-1).status, sent.at(-1).error.code], [401, 'invalid_api_key']);
  assert.equal(closed[0]?.code, 1008);
});

test('turns that wait on a socket count in the memory of all bodies, and give it back with the socket', (t) => {
  const counters = new SharedCounters(1, 0);
  const { handler, sent } = open(t, undefined, counters);
  const turn = message({ input: 'x'.repeat(300_000), previous_response_id: 'resp_before' });
  for (let each = 0; each < 3; each += 1) handler.message(turn, false);
  assert.equal(sent.length, 0);
  assert.ok(counters.bodyBytes > 800_000, `${counters.bodyBytes}`);
  handler.message(turn, false);
  assert.deepEqual([sent.at(-1).status, sent.at(-1).error.code], [503, 'body_memory_full']);
  assert.match(sent.at(-1).error.message, /limits\.max_body_memory_bytes: 1000000/);
  handler.closed(1000, '');
  assert.equal(counters.bodyBytes, 0);
});

test('a turn that is over gives back the memory of its message', (t) => {
  const counters = new SharedCounters(1, 0);
  const { handler, sent } = open(t, undefined, counters);
  handler.message(message({ model: 'x'.repeat(300_000), background: true }), false);
  assert.equal(sent.at(-1).error.param, 'background');
  assert.equal(counters.bodyBytes, 0);
});
