import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { Usage } from '../../src/inference/usage.ts';
import { ask, ChatStream, errorOf, messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, type RunningGateway, recordOf, startGateway } from '../support/gateway.ts';
import { noRecordings } from '../support/recordings.ts';
import { openAccount } from '../support/scripted-provider.ts';
import {
  chatProviders,
  fixtureChats,
  type RecordedChat,
  recordedChats,
  splitEvents,
  usageIn,
  withoutUsageEvent,
} from './recorded-chats.ts';
import { type Replay, type ReplayingProvider, startReplayingProvider } from './replaying-provider.ts';

/** Answers on the way at the same time. */
const AT_ONCE = 16;
/** Byte by byte, each byte in a chunk of its own, goes what is not longer; in sevens goes everything. */
const BYTE_BY_BYTE_BYTES = 16_384;

let provider: ReplayingProvider;
let gateway: RunningGateway;

before(async () => {
  provider = await startReplayingProvider();
  const { origin } = provider;
  gateway = await startGateway({
    manifests: [
      ...['fixture', ...chatProviders]
        .filter((name) => name !== 'ollama')
        .map((name) => openAccount(name, `${origin}/v1`)),
      { type: 'provider-account/ollama', name: 'ollama', auth_data: { custom_host: origin } },
    ],
  });
});
disposeAfter(() => [gateway, provider]);

interface Case {
  readonly chat: RecordedChat;
  readonly key: string;
  readonly pieceBytes: number | undefined;
}

let count = 0;

function casesOf(chat: RecordedChat): Case[] {
  const sizes = [undefined, 7, ...(chat.answer.length <= BYTE_BY_BYTE_BYTES ? [1] : [])];
  return sizes.map((pieceBytes) => {
    count += 1;
    return { chat, key: `replay-${count}`, pieceBytes };
  });
}

function replayOf({ chat, pieceBytes }: Pick<Case, 'chat' | 'pieceBytes'>): Replay {
  const contentType = chat.kind === 'sse' ? 'text/event-stream; charset=utf-8' : 'application/json';
  return { status: chat.status, contentType, body: chat.answer, pieceBytes };
}

interface Request {
  /** What the gateway is sent. */
  readonly sent: string;
  /** What the provider must receive, byte for byte. */
  readonly received: string;
  readonly asksUsage: boolean;
}

const MODEL = /"model":\s*"((?:[^"\\]|\\.)*)"/;

/** As it was recorded; where not all of it was, one of our own. */
function requestOf(chat: RecordedChat): Request {
  if (chat.request !== undefined && MODEL.test(chat.request)) return addressed(chat, chat.request);
  return addressed(chat, JSON.stringify({ model: 'example-1', messages, stream: chat.kind === 'sse' }));
}

function addressed(chat: RecordedChat, written: string): Request {
  const [pair, model] = MODEL.exec(written)!;
  const sent = written.replace(pair, () => `"model":"${chat.provider}/${model}"`);
  const { stream, stream_options: options } = JSON.parse(written);
  const asksUsage = stream !== true || options?.include_usage === true;
  const received = asksUsage
    ? written.replace(pair, () => `"model":"${model}"`)
    : written.replace(pair, () => `"model":"${model}","stream_options":{"include_usage":true}`);
  return { sent, received, asksUsage };
}

async function run({ chat, key, pieceBytes }: Case): Promise<void> {
  const how = `${chat.label}, pieces of ${pieceBytes ?? 'all'} bytes`;
  provider.replays.set(key, replayOf({ chat, pieceBytes }));
  const request = requestOf(chat);
  const response = await ask(gateway, request.sent, { headers: { 'idempotency-key': key, 'x-request-id': key } });
  const body = Buffer.from(await response.arrayBuffer());
  assert.equal(provider.received.get(key), request.received, how);
  assert.equal(response.status, 200, `${how}: ${body}`);
  const expected = request.asksUsage ? chat.answer : withoutUsageEvent(chat.answer);
  if (!body.equals(expected)) assert.equal(body.toString('latin1'), expected.toString('latin1'), how);
}

async function runAll(cases: readonly Case[]): Promise<void> {
  const rest = [...cases];
  const worker = async (): Promise<void> => {
    for (let next = rest.shift(); next; next = rest.shift()) await run(next);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/** The access line says what was metered; unknown counts are left out of it. */
async function checkMetered(cases: readonly Case[]): Promise<void> {
  const lines = new Map<unknown, Record<string, unknown>>();
  const hasAll = (): boolean => {
    for (const line of gateway.records({})) lines.set(line['http.request.id'], line);
    return cases.every(({ key }) => lines.has(key));
  };
  await eventually('every exchange has its line', hasAll, 10_000);
  for (const { chat, key } of cases) {
    const line = lines.get(key)!;
    const said = usageIn(chat);
    const metered: Usage = {
      inputTokens: line['gen_ai.usage.input_tokens'] as number,
      outputTokens: line['gen_ai.usage.output_tokens'] as number,
      cacheReadInputTokens: line['gen_ai.usage.cache_read.input_tokens'] as number,
      reasoningOutputTokens: line['gen_ai.usage.reasoning.output_tokens'] as number,
    };
    assert.equal(line['sluice.outcome'], 'ok', chat.label);
    if (said.outputTokens === undefined) {
      assert.equal(line['sluice.usage.source'], 'estimate', chat.label);
      assert.ok(metered.inputTokens! > 0 && metered.outputTokens! > 0, chat.label);
      continue;
    }
    assert.equal(line['sluice.usage.source'], 'provider', chat.label);
    for (const [name, tokens] of Object.entries(metered)) {
      assert.equal(tokens, said[name as keyof Usage], `${chat.label}: ${name}`);
    }
  }
}

for (const name of chatProviders) {
  test(`every recorded answer of ${name} reaches a client byte for byte over sockets, with usage`, {
    skip: noRecordings,
  }, async () => {
    const cases = recordedChats(name)
      .filter(({ status }) => status === 200)
      .flatMap(casesOf);
    assert.ok(cases.length > 0);
    await runAll(cases);
    await checkMetered(cases);
  });
}

test('every fixture reaches a client byte for byte over sockets, with usage', async () => {
  const cases = fixtureChats()
    .filter(({ label }) => !label.includes('error-'))
    .flatMap(casesOf);
  await runAll(cases);
  await checkMetered(cases);
});

test('a client that did not ask for usage gets every recorded stream without the one event that asking causes', {
  skip: noRecordings,
}, async () => {
  const streams = chatProviders.flatMap(recordedChats).filter(({ kind }) => kind === 'sse');
  const cases = streams.map((chat): Case => {
    count += 1;
    const request = JSON.stringify({ model: 'example-1', messages, stream: true });
    return { chat: { ...chat, request }, key: `unasked-${count}`, pieceBytes: 7 };
  });
  assert.ok(cases.every(({ chat }) => !requestOf(chat).asksUsage));
  await runAll(cases);
  await checkMetered(cases);
});

// ── errors ──────────────────────────────────────────────────────────────────

/** What a client sees for a provider's status (docs/errors.md). */
const SHOWN_STATUS: Record<number, number> = { 400: 400, 401: 502, 404: 404, 422: 422, 429: 429, 500: 502, 503: 503 };

for (const name of chatProviders) {
  const refusals = recordedChats(name).filter(({ status }) => status !== 200);
  if (refusals.length === 0) continue;
  test(`every recorded refusal of ${name} has the documented status, and the client gets its words where they are for it`, async () => {
    for (const chat of refusals) {
      count += 1;
      const key = `refusal-${count}`;
      provider.replays.set(key, replayOf({ chat, pieceBytes: 7 }));
      const response = await ask(gateway, requestOf(chat).sent, { headers: { 'idempotency-key': key } });
      const error = await errorOf(response);
      assert.equal(response.status, SHOWN_STATUS[chat.status], chat.label);
      const recorded = JSON.parse(chat.answer.toString());
      const words: string = recorded.error?.message ?? recorded.detail;
      assert.ok(words.length > 0);
      if (chat.status === 401) {
        assert.ok(!error.message.includes(words), 'words about our credential are not the client’s');
        assert.equal(error.code, 'upstream_credential');
      } else if (chat.status === 429) assert.ok(error.message.includes(words), chat.label);
      else assert.equal(error.message, words, chat.label);
      if (chat.status !== 401 && typeof recorded.error?.code === 'string') {
        assert.equal(error.code, recorded.error.code);
      }
    }
  });
}

// ── cuts ────────────────────────────────────────────────────────────────────

/** One offset of each kind, and some more in between. */
function cutOffsets({ kind, answer }: RecordedChat): number[] {
  const { length } = answer;
  if (kind === 'json') return [-20, -1, 0, 1, Math.floor(length / 2), length - 1];
  const events = splitEvents(answer);
  const first = events[0]!.length;
  const last = events.at(-1)!.length;
  const content = events.findIndex((event) => event.includes('data:'));
  const behindContent = Buffer.concat(events.slice(0, content + 1)).length;
  const offsets = [
    // Within the head, and before the body.
    ...[-20, -1, 0],
    // Within the first event, within the empty line that ends it, behind it; behind the first content and within the next.
    ...[1, first - 1, first, behindContent, behindContent + 1, behindContent + 5, behindContent + 40],
    ...[Math.floor(length / 3), Math.floor(length / 2)],
    // Before the last event, and within it.
    ...[length - last - 1, length - last, length - last + 7, length - 2, length - 1],
  ];
  return [...new Set(offsets)].filter((at) => at <= length);
}

async function checkCut(chat: RecordedChat, cutAt: number, pieceBytes: number | undefined): Promise<void> {
  count += 1;
  const key = `cut-${count}`;
  const cutBy = count % 2 === 0 ? 'reset' : 'end';
  const how = `${chat.label}, cut at ${cutAt} of ${chat.answer.length} by ${cutBy}, pieces of ${pieceBytes}`;
  provider.replays.set(key, { ...replayOf({ chat, pieceBytes }), cutAt, cutBy });
  const request = JSON.parse(requestOf(chat).sent);
  const stream = new ChatStream(gateway, request, { headers: { 'idempotency-key': key } });
  const ended = await stream.ended();
  const { status } = await stream.head();
  const text = stream.text();
  if (status !== 200) {
    assert.equal(status, 502, how);
    assert.equal(JSON.parse(text).error.code, 'upstream_cut', how);
    return;
  }
  assert.equal(ended, 'cut', `${how}: a clean end`);
  const eventAt = text.lastIndexOf('data: {"error"');
  if (chat.kind === 'sse') assert.ok(eventAt >= 0, `${how}: no error event in ${text.slice(-300)}`);
  const passed = eventAt < 0 ? text : text.slice(0, eventAt);
  const expected = requestOf(chat).asksUsage ? chat.answer : withoutUsageEvent(chat.answer);
  assert.ok(expected.toString().startsWith(passed), how);
  if (chat.kind === 'sse') assert.match(passed, /\n\r?\n$/, `${how}: half an event`);
}

async function checkCuts(chats: readonly RecordedChat[]): Promise<void> {
  const cuts = chats.flatMap((chat) =>
    cutOffsets(chat).flatMap((at) =>
      (chat.kind === 'sse' ? [7, 1000] : [undefined, 7]).map((pieceBytes) => ({ chat, at, pieceBytes })),
    ),
  );
  const worker = async (): Promise<void> => {
    for (let next = cuts.shift(); next; next = cuts.shift()) await checkCut(next.chat, next.at, next.pieceBytes);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

const shortest = (chats: RecordedChat[]) => chats.sort((a, b) => a.answer.length - b.answer.length)[0];

for (const name of chatProviders) {
  test(`a recorded answer of ${name} that is cut anywhere is an error for the client, never a clean end`, {
    skip: noRecordings,
  }, async () => {
    const chats = recordedChats(name).filter(({ status }) => status === 200);
    const sample = ['json', 'sse'].flatMap((kind) => shortest(chats.filter((chat) => chat.kind === kind)) ?? []);
    assert.equal(sample.length, 2);
    await checkCuts(sample);
  });
}

test('a fixture that is cut anywhere is an error for the client, never a clean end', async () => {
  await checkCuts(fixtureChats().filter(({ label }) => !label.includes('error-')));
});

test('a stream is whole behind its own end though its transfer never ends, breaks or is reset', async () => {
  const chats = fixtureChats().filter(({ answer, label }) => answer.includes('[DONE]') && !label.includes('error-'));
  assert.ok(chats.length > 3);
  for (const chat of chats) {
    for (const cutBy of ['end', 'reset', 'nothing'] as const) {
      count += 1;
      const key = `own-end-${count}`;
      provider.replays.set(key, { ...replayOf({ chat, pieceBytes: 7 }), cutAt: chat.answer.length, cutBy });
      const request = { model: 'fixture/m', messages, n: 2, stream: true, stream_options: { include_usage: true } };
      const headers = { 'idempotency-key': key, 'x-request-id': key };
      const stream = new ChatStream(gateway, request, { headers });
      assert.equal(await stream.ended(), 'whole', `${chat.label} by ${cutBy}`);
      assert.equal(stream.text(), chat.answer.toString());
      assert.equal((await recordOf(gateway, key))['sluice.outcome'], 'ok');
    }
  }
});

test('an answer that ends with its connection is whole with its last event or bracket, and an error before', async () => {
  for (const chat of fixtureChats()) {
    if (chat.label.includes('error-')) continue;
    const events = splitEvents(chat.answer);
    const cuts = chat.kind === 'json' ? [0, 1, 50, chat.answer.length - 3] : [0, 40, events[0]!.length + 40];
    for (const cutAt of [...cuts, chat.answer.length]) {
      count += 1;
      const key = `close-${count}`;
      provider.replays.set(key, { ...replayOf({ chat, pieceBytes: undefined }), cutAt, endsWithConnection: true });
      const asked = chat.kind === 'json' ? {} : { stream: true, stream_options: { include_usage: true } };
      const request = { model: 'fixture/m', messages, ...asked };
      const stream = new ChatStream(gateway, request, { headers: { 'idempotency-key': key } });
      const ended = await stream.ended();
      const { status } = await stream.head();
      const how = `${chat.label}, closed at ${cutAt} of ${chat.answer.length}`;
      if (cutAt === chat.answer.length) {
        assert.equal(ended, 'whole', how);
        assert.equal(stream.text(), chat.answer.toString(), how);
      } else if (status === 200) assert.equal(ended, 'cut', how);
      // Where nothing came at all, nobody knows what was to come.
      else assert.equal(JSON.parse(stream.text()).error.code, cutAt === 0 ? 'upstream_protocol' : 'upstream_cut', how);
    }
  }
});

test('an error in place of the first content has its own status over sockets too', async () => {
  const chat = fixtureChats().find(({ label }) => label.includes('error-first'))!;
  for (const pieceBytes of [1, 7, 1000]) {
    count += 1;
    const key = `error-${count}`;
    provider.replays.set(key, replayOf({ chat, pieceBytes }));
    const response = await ask(gateway, requestOf(chat).sent, { headers: { 'idempotency-key': key } });
    assert.equal(response.status, 429);
    assert.match((await errorOf(response)).message, /Rate limit exceeded upstream/);
  }
});
