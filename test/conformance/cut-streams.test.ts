import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { GatewayError } from '../../src/core/errors.ts';
import { anthropicWire } from '../../src/providers/anthropic-messages/wire.ts';
import { geminiWire } from '../../src/providers/gemini-generate-content/wire.ts';
import type { Wire } from '../../src/providers/provider.ts';
import { messagesDialect } from '../support/messages-dialect.ts';
import { noRecordings, recordings } from '../support/recordings.ts';
import { type Decoded, decodeChat, decodeMessage } from '../support/sdk-streams.ts';
import { exampleMounts } from '../support/targets.ts';
import { closeRelays, Relayed, type RelayedOptions } from '../unit/relay/local-provider.ts';
import {
  chatProviders,
  fixtureChats,
  recordedChats,
  shortened,
  splitEvents,
  withoutUsageEvent,
} from './recorded-chats.ts';

afterEach(closeRelays);

/** Longer streams are cut at every offset of their first and last so many bytes, and at some in between. */
const EVERY_OFFSET_BYTES = process.env['SLUICE_TEST_EVERY_OFFSET'] === undefined ? 1_200 : Number.POSITIVE_INFINITY;
const SOME_OFFSETS = 60;
/** A broken length and broken chunks are one failure to the relay: the first is tried at each so many. */
const LENGTH_STEP = 11;

/** How a provider says where its answer ends; of a cut one HTTP is broken, but for the last. */
const FRAMINGS = {
  'content-length': { 'content-length': '1000000' },
  chunked: { 'transfer-encoding': 'chunked' },
  'connection end': {},
} as const;
type Framing = keyof typeof FRAMINGS;

interface Form {
  readonly answer: Buffer;
  readonly choices: number;
  /** Whether the client asked for usage; both, where that makes a difference. */
  readonly asksUsage: readonly boolean[];
  readonly options: (asksUsage: boolean) => RelayedOptions;
  /** What a client gets that did not ask for usage. */
  readonly unasked: (answer: Buffer) => Buffer;
  readonly decode: (body: string) => Promise<Decoded>;
  readonly messageOf: (error: unknown) => string;
}

function chatForm(answer: Buffer): Form {
  return {
    answer,
    choices: answer.includes('"index":1,"delta"') ? 2 : 1,
    asksUsage: [true, false],
    options: (include_usage) => ({
      body: { n: answer.includes('"index":1,"delta"') ? 2 : 1, stream_options: { include_usage } },
    }),
    unasked: withoutUsageEvent,
    decode: decodeChat,
    messageOf: (error) => String(Object(error).message),
  };
}

function messageForm(answer: Buffer): Form {
  return {
    answer,
    choices: 1,
    asksUsage: [true],
    options: () => ({
      dialect: messagesDialect,
      target: { mounts: exampleMounts(anthropicWire), abilities: { usageInStream: false, developerRole: true } },
    }),
    unasked: (events) => events,
    decode: decodeMessage,
    messageOf: (error) => String(Object(error).message),
  };
}

/** An event of an answer that has its empty line. */
interface WholeEvent {
  /** The offset behind its empty line. */
  readonly end: number;
  /** The offset behind the first character of its empty line: the parser of events takes that for a whole line. */
  readonly parsedFrom: number;
  readonly data: string;
}

function wholeEvents(answer: Buffer): WholeEvent[] {
  let end = 0;
  return splitEvents(answer).flatMap((event) => {
    end += event.length;
    const [, emptyLine] = /\n(\r\n|\n|\r)$/.exec(event.toString('latin1')) ?? [];
    if (emptyLine === undefined) return [];
    const data = /^data: ?(.*?)\r?$/m.exec(event.toString())?.[1] ?? '';
    return [{ end, parsedFrom: end - emptyLine.length + 1, data }];
  });
}

/** By the rule alone, without any code of ours: `bytes` are what came of it, the first of its `events` among them. */
function isWhole({ choices }: Form, events: readonly WholeEvent[], bytes: Buffer, framing: Framing): boolean {
  const came = events.filter(({ end }) => end <= bytes.length);
  const data = came.map((event) => event.data);
  // The end itself may lack its empty line where HTTP ended cleanly.
  const tail = framing === 'connection end' ? bytes.toString('utf8', came.at(-1)?.end) : '';
  if (data.includes('[DONE]') || /^data: \[DONE\]\n?$/.test(tail)) return true;
  const json = data.filter((each) => each.startsWith('{')).map((each) => JSON.parse(each));
  if (json.some(({ type }) => type === 'message_stop')) return true;
  if (framing !== 'connection end') return false;
  if (/^event: message_stop\ndata: \{"type":"message_stop" *\}\n?$/.test(tail)) return true;
  if (json.some((each) => each.delta?.stop_reason)) return true;
  const finished = json.flatMap((each) => each.choices ?? []).filter((choice) => choice.finish_reason);
  return new Set(finished.map(({ index }) => index)).size >= choices;
}

/** Offsets at which the answer is cut. */
function* offsetsOf({ answer }: Pick<Form, 'answer'>): Generator<number> {
  const step = Math.max(1, Math.floor(answer.length / SOME_OFFSETS));
  for (let at = 0; at < answer.length; at += 1) {
    const isEdge = at < EVERY_OFFSET_BYTES || at >= answer.length - EVERY_OFFSET_BYTES;
    if (isEdge || at % step === 0) yield at;
  }
}

async function checkCuts(label: string, form: Form): Promise<void> {
  /** The events of each outcome are decoded once. */
  const decoded = new Set<string>();
  const events = wholeEvents(form.answer);
  for (const asksUsage of form.asksUsage) {
    const expected = (asksUsage ? form.answer : form.unasked(form.answer)).toString();
    for (const framing of Object.keys(FRAMINGS) as Framing[]) {
      for (const at of offsetsOf(form)) {
        if (framing === 'content-length' && at % LENGTH_STEP !== 0) continue;
        const how = `${label}, ${framing}, usage ${asksUsage ? 'asked' : 'not asked'} for, cut at ${at}`;
        const bytes = form.answer.subarray(0, at);
        const relayed = new Relayed(form.options(asksUsage));
        relayed.attempt.handler.started(200, { 'content-type': 'text/event-stream', ...FRAMINGS[framing] });
        if (at > 0) relayed.attempt.send(bytes);
        if (framing === 'connection end') relayed.attempt.end();
        else if (!relayed.attempt.aborted) relayed.attempt.handler.failed(new GatewayError('upstream_cut'));
        const whole = isWhole(form, events, bytes, framing);
        const undecoded = checkOutcome(how, { relayed, whole, expected }, decoded);
        if (undecoded !== undefined) {
          decoded.add(undecoded);
          const { raised } = await form.decode(undecoded);
          assert.match(form.messageOf(raised), /closed the connection before its answer was complete/, how);
        }
        // Thousands of open relays, each with a timer, would keep the garbage collector busy.
        closeRelays();
      }
    }
  }
}

interface Cut {
  readonly relayed: Relayed;
  /** What came of the answer is all of it. */
  readonly whole: boolean;
  /** What the client gets of the answer that is not cut. */
  readonly expected: string;
}

/** Returns the events that the SDK has to decode still, where there are any that are not `decoded` yet. */
function checkOutcome(
  how: string,
  { relayed, whole, expected }: Cut,
  decoded: ReadonlySet<string>,
): string | undefined {
  const { sink, results } = relayed;
  assert.equal(results.length, 1, how);
  const [result] = results;
  if (whole) {
    assert.equal(result?.error, undefined, `${how}: a whole answer`);
    assert.equal(sink.ending, 'ended', how);
    // Line ends that the last event lacked are ours.
    assert.ok(expected.replaceAll('\r', '').startsWith(sink.text().replaceAll('\r', '')), how);
    return undefined;
  }
  assert.ok(
    ['upstream_cut', 'upstream_protocol'].includes(result?.error?.code ?? ''),
    `${how}: ${result?.error?.code}`,
  );
  if (result?.cut === false) {
    assert.equal(sink.status, 502, how);
    return undefined;
  }
  assert.equal(sink.ending, 'cut', `${how}: a clean end`);
  const text = sink.text();
  if (decoded.has(text)) return undefined;
  const events = splitEvents(Buffer.from(text));
  const passed = Buffer.concat(events.slice(0, -1)).toString();
  assert.ok(expected.startsWith(passed), `${how}: ${passed.slice(-200)}`);
  assert.match(passed, /\n\r?\n$/, `${how}: half an event`);
  return text;
}

for (const chat of fixtureChats()) {
  if (chat.kind === 'json' || chat.label.includes('error-')) continue;
  test(`${chat.label} cut anywhere ends with a whole event, then an error that the SDK raises`, async () => {
    await checkCuts(chat.label, chatForm(chat.answer));
  });
}

const folder = join(import.meta.dirname, '../fixtures/anthropic');
for (const file of readdirSync(folder).filter((name) => name.endsWith('.sse') && name !== 'error.sse')) {
  test(`fixture: anthropic/${file} cut anywhere ends with a whole event, then an error that the SDK raises`, async () => {
    await checkCuts(file, messageForm(readFileSync(join(folder, file))));
  });
}

for (const provider of chatProviders) {
  test(`a recorded stream of ${provider} cut anywhere ends with a whole event, then an error that the SDK raises`, {
    skip: noRecordings,
  }, async () => {
    const streams = recordedChats(provider).filter(({ kind, status }) => kind === 'sse' && status === 200);
    const [shortest] = streams.toSorted((a, b) => a.answer.length - b.answer.length);
    assert.ok(shortest);
    await checkCuts(shortest.label, chatForm(shortened(shortest).answer));
  });
}

test('a recorded message of Anthropic cut anywhere ends with a whole event, then an error that the SDK raises', {
  skip: noRecordings,
}, async () => {
  const streams = recordings('anthropic').filter(
    ({ kind, request }) => kind === 'sse' && request.path === '/v1/messages',
  );
  for (const { name, response } of streams.slice(0, 3)) await checkCuts(name, messageForm(Buffer.from(response.body!)));
});

// ── translated for a client that speaks another form ─────────────────────────

/** Where a provider's answer says that it is whole, by the rule alone; `cleanEnd`: HTTP ended cleanly behind it. */
type IsWhole = (
  event: { type?: string; delta?: { stop_reason?: string | null }; candidates?: object[] },
  cleanEnd: boolean,
) => boolean;

const TRANSLATED: { name: string; folder: string; wire: Wire; isWhole: IsWhole }[] = [
  {
    name: 'anthropic',
    folder: 'anthropic',
    wire: anthropicWire,
    isWhole: ({ type, delta }, cleanEnd) => type === 'message_stop' || (cleanEnd && delta?.stop_reason != null),
  },
  {
    name: 'gemini',
    folder: 'gemini',
    wire: geminiWire,
    isWhole: ({ candidates = [] }, cleanEnd) =>
      cleanEnd && candidates.some((candidate) => Reflect.get(candidate, 'finishReason')),
  },
];

/** The second in which a chunk was made is not the provider's. */
const timeless = (text: string): string => text.replaceAll(/"created":\d+/g, '"created":0');

function translated(wire: Wire, answer: Buffer, framing: Framing, asksUsage: boolean): Relayed {
  const relayed = new Relayed({
    body: { messages: [{ role: 'user', content: 'hi' }], stream_options: { include_usage: asksUsage } },
    target: { mounts: exampleMounts(wire), abilities: { usageInStream: false, developerRole: true } },
  });
  relayed.attempt.handler.started(200, { 'content-type': 'text/event-stream', ...FRAMINGS[framing] });
  if (answer.length > 0) relayed.attempt.send(answer);
  if (framing === 'connection end') relayed.attempt.end();
  else if (!relayed.attempt.aborted) relayed.attempt.handler.failed(new GatewayError('upstream_cut'));
  return relayed;
}

async function checkTranslatedCuts(answer: Buffer, wire: Wire, isWhole: IsWhole): Promise<number> {
  const decoded = new Set<string>();
  const whole = wholeEvents(answer).filter(({ data }) => data.startsWith('{'));
  let cuts = 0;
  for (const asksUsage of [true, false]) {
    const all = timeless(translated(wire, answer, 'connection end', asksUsage).sink.text());
    for (const framing of Object.keys(FRAMINGS) as Framing[]) {
      for (const at of offsetsOf({ answer })) {
        if (framing !== 'connection end' && at % LENGTH_STEP !== 0) continue;
        const how = `${framing}, usage ${asksUsage ? 'asked' : 'not asked'} for, cut at ${at}`;
        const { sink, results } = translated(wire, answer.subarray(0, at), framing, asksUsage);
        closeRelays();
        assert.equal(results.length, 1, how);
        const came = whole.filter(({ parsedFrom }) => parsedFrom <= at);
        const text = timeless(sink.text());
        if (came.some(({ data }) => isWhole(JSON.parse(data), framing === 'connection end'))) {
          assert.equal(results[0]?.error, undefined, `${how}: a whole answer`);
          assert.equal(sink.ending, 'ended', how);
          assert.ok(text.endsWith('data: [DONE]\n\n'), how);
          continue;
        }
        cuts += 1;
        assert.ok(results[0]?.error !== undefined, how);
        if (results[0].cut === false) {
          assert.equal(sink.status, 502, how);
          continue;
        }
        assert.equal(sink.ending, 'cut', `${how}: a clean end`);
        if (decoded.has(text)) continue;
        decoded.add(text);
        const passed = splitEvents(Buffer.from(text)).slice(0, -1);
        assert.ok(all.startsWith(Buffer.concat(passed).toString()), `${how}: half an event`);
        const { raised } = await decodeChat(text);
        assert.match(String(Object(raised).message), /closed the connection before its answer/, how);
      }
    }
  }
  return cuts;
}

for (const { name, folder: place, wire, isWhole } of TRANSLATED) {
  const fixtures = join(import.meta.dirname, '../fixtures', place);
  const streams = readdirSync(fixtures).filter((file) => file.endsWith('.sse') && !file.startsWith('error'));

  test(`a translated stream of ${name} cut anywhere ends with a whole event, then an error that the SDK raises`, async () => {
    assert.ok(streams.length > 0);
    for (const file of streams) {
      const cuts = await checkTranslatedCuts(readFileSync(join(fixtures, file)), wire, isWhole);
      assert.ok(cuts > 0, file);
    }
  });

  test(`a recorded stream of ${name}, translated and cut anywhere, ends with a whole event, then an error`, {
    skip: noRecordings,
  }, async () => {
    const recorded = recordings(name)
      .filter(
        ({ kind, request, response }) =>
          kind === 'sse' && response.status === 200 && /messages|Content/.test(request.path),
      )
      .map(({ response }) => Buffer.from(response.body!))
      .toSorted((one, other) => one.length - other.length);
    assert.ok(recorded.length > 1);
    for (const answer of recorded.slice(0, 2)) await checkTranslatedCuts(answer, wire, isWhole);
  });
}
