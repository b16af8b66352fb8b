import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openAiChat } from '../../src/dialects/openai-chat/index.ts';
import { openAiChatWire } from '../../src/providers/openai-compatible/wire.ts';
import { StreamPassthrough } from '../../src/relay/stream-passthrough.ts';
import { WholePassthrough } from '../../src/relay/whole-passthrough.ts';
import { UsageMeter } from '../../src/usage/usage-meter.ts';
import { pieces } from '../support/cuttings.ts';
import { heldMemory } from '../support/held-memory.ts';
import { noRecordings } from '../support/recordings.ts';
import { exampleTarget } from '../support/targets.ts';
import { FakeRelayHost } from '../unit/relay/fake-relay-host.ts';
import {
  chatProviders,
  fixtureChats,
  type RecordedChat,
  recordedChats,
  shortened,
  splitEvents,
  usageIn,
  withoutUsageEvent,
} from './recorded-chats.ts';

/** limits.high_watermark_bytes as it is by default: larger whole answers are passed on as they come. */
const HOLD_BYTES = 65_536;
const LONG_EVENT_BYTES = 1_000;

interface Carried {
  readonly host: FakeRelayHost;
  readonly meter: UsageMeter;
}

const shared = { wire: openAiChatWire, target: exampleTarget, form: openAiChat.answers, holdBytes: HOLD_BYTES };

function streamMode(host: FakeRelayHost, meter: UsageMeter, stripUsage: boolean): StreamPassthrough {
  return new StreamPassthrough({
    ...shared,
    host,
    meter,
    expected: { choices: 1, usageEvent: stripUsage ? 'take-out' : 'keep' },
    memory: heldMemory(),
    contentType: 'text/event-stream',
    maxEventBytes: 1_048_576,
  });
}

function carryStream(chunks: readonly Buffer[], stripUsage: boolean): Carried {
  const host = new FakeRelayHost();
  const meter = new UsageMeter();
  const mode = streamMode(host, meter, stripUsage);
  for (const chunk of chunks) mode.chunk(chunk);
  mode.ended();
  return { host, meter };
}

function carryWhole(chunks: readonly Buffer[]): Carried {
  const host = new FakeRelayHost();
  const meter = new UsageMeter();
  const contentType = 'application/json';
  const mode = new WholePassthrough({ ...shared, host, meter, contentType, endsWithConnection: false });
  for (const chunk of chunks) mode.chunk(chunk);
  mode.ended();
  return { host, meter };
}

interface Expected {
  readonly bytes: Buffer;
  readonly usage: object;
}

function check({ host, meter }: Carried, expected: Expected, how: string): void {
  assert.equal(host.error, undefined, how);
  assert.ok(host.finished, how);
  assert.deepEqual(host.behindTheEnd, [], how);
  assert.deepEqual(host.uncommitted, [], how);
  const output = host.output();
  if (!output.equals(expected.bytes)) assert.equal(output.toString('latin1'), expected.bytes.toString('latin1'), how);
  assert.deepEqual(meter.usage === undefined ? {} : definedOnly(meter.usage), expected.usage, how);
}

function definedOnly(usage: object): object {
  return Object.fromEntries(Object.entries(usage).filter(([, count]) => count !== undefined));
}

function checkStream(chat: RecordedChat): void {
  for (const stripUsage of [false, true]) {
    const expected = {
      bytes: stripUsage ? withoutUsageEvent(chat.answer) : chat.answer,
      usage: usageIn(chat),
    };
    const how = `${chat.label}, usage event ${stripUsage ? 'taken out' : 'wanted'}`;
    check(carryStream([chat.answer], stripUsage), expected, `${how}, whole`);
    check(carryStream(pieces(chat.answer, 7), stripUsage), expected, `${how}, in sevens`);
    check(carryStream(pieces(chat.answer, 1), stripUsage), expected, `${how}, byte by byte`);
    check(carryStream(splitEvents(chat.answer), stripUsage), expected, `${how}, event by event`);
  }
}

function checkCutEverywhere(chat: RecordedChat): void {
  for (const stripUsage of [false, true]) {
    const expected = {
      bytes: stripUsage ? withoutUsageEvent(chat.answer) : chat.answer,
      usage: usageIn(chat),
    };
    for (const at of cutsOf(chat.answer)) {
      const parts = [chat.answer.subarray(0, at), chat.answer.subarray(at)];
      check(carryStream(parts, stripUsage), expected, `${chat.label}, usage taken out: ${stripUsage}, cut at ${at}`);
    }
  }
}

/** Every byte; in the middle of an event of kilobytes (citations, arguments) every 13th. */
function* cutsOf(answer: Buffer): Generator<number> {
  let start = 0;
  for (const event of splitEvents(answer)) {
    for (let at = start === 0 ? 1 : 0; at < event.length; at += 1) {
      const isMiddle = at > LONG_EVENT_BYTES / 2 && at < event.length - LONG_EVENT_BYTES / 2;
      if (!isMiddle || at % 13 === 0) yield start + at;
    }
    start += event.length;
  }
}

function checkWhole(chat: RecordedChat): void {
  const expected = { bytes: chat.answer, usage: usageIn(chat) };
  check(carryWhole([chat.answer]), expected, `${chat.label}, whole`);
  check(carryWhole(pieces(chat.answer, 7)), expected, `${chat.label}, in sevens`);
  check(carryWhole(pieces(chat.answer, 1)), expected, `${chat.label}, byte by byte`);
  for (let at = 1; at < chat.answer.length; at += 1) {
    const parts = [chat.answer.subarray(0, at), chat.answer.subarray(at)];
    check(carryWhole(parts), expected, `${chat.label}, cut at ${at}`);
  }
}

for (const provider of chatProviders) {
  const chats = recordedChats(provider).filter(({ status }) => status === 200);
  const streams = chats.filter(({ kind }) => kind === 'sse');
  const wholes = chats.filter(({ kind }) => kind === 'json');

  test(`every recorded stream of ${provider} passes byte for byte, with usage, however it is cut`, {
    skip: noRecordings,
  }, () => {
    assert.ok(streams.length > 0);
    for (const chat of streams) checkStream(chat);
  });
  test(`every recorded stream of ${provider} passes byte for byte, with usage, cut in two at every byte`, {
    skip: noRecordings,
  }, () => {
    for (const chat of streams) checkCutEverywhere(shortened(chat));
  });
  test(`every recorded whole answer of ${provider} passes byte for byte, with usage, however it is cut`, {
    skip: noRecordings,
  }, () => {
    assert.ok(wholes.length > 0);
    for (const chat of wholes) checkWhole(chat);
  });
}

for (const chat of fixtureChats()) {
  if (chat.label.includes('error-')) continue;
  test(`${chat.label} passes byte for byte, with usage, cut in two at every byte`, () => {
    if (chat.kind === 'json') checkWhole(chat);
    else {
      checkStream(chat);
      checkCutEverywhere(chat);
    }
  });
}

test('an error in place of the first content is an error and not an answer, wherever the stream is cut', () => {
  const chat = fixtureChats().find(({ label }) => label.includes('error-first'));
  assert.ok(chat);
  for (const stripUsage of [false, true]) {
    for (let at = 0; at < chat.answer.length; at += 1) {
      const { host } = carryStream([chat.answer.subarray(0, at), chat.answer.subarray(at)], stripUsage);
      assert.equal(host.error?.code, 'upstream_rate_limited');
      assert.match(host.error?.message ?? '', /Rate limit exceeded upstream/);
      assert.equal(host.contentType, undefined, 'nothing was committed');
      assert.equal(host.writtenBytes, 0);
    }
  }
});

test('an error among the content ends the answer in front of it, with its words, wherever the stream is cut', () => {
  const chat = fixtureChats().find(({ label }) => label.includes('error-middle'));
  assert.ok(chat);
  for (let at = 0; at < chat.answer.length; at += 1) {
    const { host } = carryStream([chat.answer.subarray(0, at), chat.answer.subarray(at)], false);
    assert.equal(host.error?.code, 'upstream_failed');
    assert.match(host.error?.message ?? '', /The model went away/);
    assert.equal(host.output().toString(), splitEvents(chat.answer)[0]?.toString());
  }
});

test('from the first content on every event passes as soon as it is whole, and never a part of one', () => {
  for (const chat of fixtureChats()) {
    if (chat.kind === 'json' || chat.label.includes('error-')) continue;
    for (const stripUsage of [false, true]) {
      const host = new FakeRelayHost();
      const mode = streamMode(host, new UsageMeter(), stripUsage);
      let sent = Buffer.alloc(0);
      for (const event of splitEvents(chat.answer)) {
        const before = host.writtenBytes;
        for (const byte of pieces(event.subarray(0, -1), 1)) mode.chunk(byte);
        assert.equal(host.writtenBytes, before, `${chat.label} at ${sent.length}`);
        mode.chunk(event.subarray(-1));
        sent = Buffer.concat([sent, event]);
        const passed = stripUsage ? withoutUsageEvent(sent) : sent;
        const expected = host.contentPieces > 0 ? passed.length : 0;
        assert.equal(host.writtenBytes, expected, `${chat.label} at ${sent.length}`);
      }
      assert.ok(host.contentPieces > 0, chat.label);
    }
  }
});

test('the recordings of chat completions are there and many', { skip: noRecordings }, () => {
  const all = chatProviders.flatMap((provider) => recordedChats(provider));
  assert.equal(all.filter(({ kind, status }) => kind === 'sse' && status === 200).length, 59);
  assert.equal(all.filter(({ kind, status }) => kind === 'json' && status === 200).length, 307);
});
