import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { guarded as messagesForm } from '../../../src/dialects/anthropic-messages/guarded.ts';
import type { GuardedForm, TextKind } from '../../../src/dialects/guarded-form.ts';
import { guarded as chatForm } from '../../../src/dialects/openai-chat/guarded.ts';
import { guarded as responsesForm } from '../../../src/dialects/openai-responses/guarded.ts';
import { Channel, guardedText } from '../../../src/guardrails/channel.ts';
import { DeadlineRunner } from '../../../src/guardrails/runner.ts';
import { GuardSession, LocalTally } from '../../../src/guardrails/session.ts';
import { randomFrom } from '../../support/random.ts';
import { recordedProviders, recordings } from '../../support/recordings.ts';
import { guardConfig, openSession, streamed } from './guarded.ts';

/*
 * Streams as providers send them, with secrets planted into what they say: at places of every channel, and with the event's
 * border at every place of the secret. The recordings beside the repository are read where they are there.
 */

const SECRETS = [
  `ghp_${'a1B2'.repeat(9)}`,
  'bob.smith@mail.example.com',
  '078-05-1120',
  '4111 1111 1111 1111',
  'postgres://app:hunter22@db.example.com/main',
];
const configs = [
  guardConfig({ kind: 'secret-detection', name: 'g/secrets' }),
  guardConfig({
    kind: 'tfy-pii',
    name: 'g/pii',
    config: { pii_categories: ['Email', 'CreditCardNumber', 'USSocialSecurityNumber'] },
  }),
];
const opened = openSession({ configs });
const refusingOpened = openSession({ configs: configs.map((each) => ({ ...each, operation: 'validate' as const })) });

/** Sets of patterns are compiled once for all. */
function again({ plan, exchange, settings }: GuardSession): GuardSession {
  return new GuardSession({ plan, exchange, settings, runner: new DeadlineRunner() });
}

// biome-ignore lint/suspicious/noExplicitAny: what a stream tells is looked into freely here
type Json = any;

interface StreamEvent {
  readonly name: string | undefined;
  /** As it stands there, where it is no JSON object. */
  readonly raw: string;
  readonly data: Json | undefined;
}

interface Source {
  readonly name: string;
  readonly form: GuardedForm;
  readonly body: string;
}

function eventsOf(body: string): StreamEvent[] {
  return body
    .split(/\r?\n\r?\n/)
    .filter((each) => each.trim() !== '')
    .map((raw) => {
      const name = /^event: ?(.*?)\r?$/m.exec(raw)?.[1];
      const data = /^data: ?(\{.*?\})\r?$/m.exec(raw)?.[1];
      return { name, raw: `${raw}\n\n`, data: data === undefined ? undefined : JSON.parse(data) };
    });
}

function written({ name, raw, data }: StreamEvent): string {
  if (data === undefined) return raw;
  return `${name === undefined ? '' : `event: ${name}\n`}data: ${JSON.stringify(data)}\n\n`;
}

interface ChannelText {
  readonly kind: TextKind;
  readonly text: string;
  /** Where each of its pieces ends. */
  readonly ends: readonly number[];
}

/** What a stream says, by channel. */
function channelsOf(form: GuardedForm, events: readonly StreamEvent[]): Map<string, ChannelText> {
  const reader = form.stream!();
  const channels = new Map<string, { kind: TextKind; text: string; ends: number[] }>();
  for (const { data } of events) {
    if (data === undefined) continue;
    for (const { channel, kind, holder, key } of reader.read(data).slots) {
      if (channel === undefined) continue;
      const known = channels.get(channel) ?? { kind, text: '', ends: [] };
      known.text += holder[key];
      known.ends.push(known.text.length);
      channels.set(channel, known);
    }
  }
  return channels;
}

/** The same stream whose channel says `text`, in pieces that end there; what repeats the whole text repeats this one. */
function said(source: Source, channel: string, before: string, text: string, ends: readonly number[]): string[] {
  const reader = source.form.stream!();
  let piece = 0;
  return eventsOf(source.body).map((event) => {
    if (event.data === undefined) return event.raw;
    for (const slot of reader.read(event.data).slots) {
      if (slot.channel === channel) {
        slot.holder[slot.key] = text.slice(ends[piece - 1] ?? 0, ends[piece]);
        piece += 1;
      } else if (slot.channel === undefined && slot.holder[slot.key] === before) slot.holder[slot.key] = text;
    }
    return written(event);
  });
}

/** Places within strings, where the text is JSON. */
function placesOf({ kind, text }: ChannelText): number[] {
  const all = Array.from({ length: text.length + 1 }, (_, at) => at);
  if (kind !== 'arguments') return all;
  let inString = false;
  return all.filter((at) => {
    const [before, char] = [text[at - 2], text[at - 1]];
    if (char === '"' && before !== '\\') inString = !inString;
    return inString && char !== '\\' && !/\\u[0-9a-f]{0,4}$/.test(text.slice(0, at));
  });
}

interface Planted {
  readonly secret: string;
  readonly text: string;
  readonly ends: readonly number[];
}

function plant({ text, ends }: ChannelText, at: number, secret: string, cut: number): Planted {
  const shifted = ends.map((end) => (end < at ? end : end + secret.length));
  const first = shifted.findIndex((end) => end >= at + secret.length);
  // Its first piece ends within the secret, unless it is the last one of all.
  if (first >= 0 && first < shifted.length - 1) shifted[first] = at + cut;
  return { secret, text: text.slice(0, at) + secret + text.slice(at), ends: shifted };
}

function fixtures(): Source[] {
  const folder = (name: string, form: GuardedForm): Source[] => {
    const path = join(import.meta.dirname, '../../fixtures', name);
    return readdirSync(path)
      .filter((file) => file.endsWith('.sse') && !file.includes('error') && !file.includes('failed'))
      .map((file) => ({ name: `${name}/${file}`, form, body: readFileSync(join(path, file), 'utf8') }));
  };
  return [
    ...folder('recorded-chat', chatForm),
    ...folder('hosts', chatForm),
    ...folder('anthropic', messagesForm),
    ...folder('responses', responsesForm),
  ];
}

function recorded(): Source[] {
  const formOf = (path: string): GuardedForm | undefined => {
    if (/\/chat\/completions$/.test(path)) return chatForm;
    if (/\/messages$/.test(path)) return messagesForm;
    return /\/responses$/.test(path) ? responsesForm : undefined;
  };
  return recordedProviders.flatMap((provider) =>
    recordings(provider).flatMap(({ name, kind, request, response }) => {
      const form = formOf(request.path);
      if (kind !== 'sse' || form === undefined || response.status !== 200 || response.body === undefined) return [];
      return { name: `${provider} ${name}`, form, body: response.body };
    }),
  );
}

const FIXTURES = fixtures();
/** Recordings are many and long, so fewer places are tried in them. */
const MAX_FIXTURE_BYTES = 10_000;
const MAX_EVENTS = 120;
const SOURCES = [...FIXTURES, ...recorded().filter(({ body }) => eventsOf(body).length <= MAX_EVENTS)];
/** A few places and borders of each channel of each stream; the same with each run. */
function* plantings(source: Source, random: () => number): Generator<Planted & { channel: string; was: ChannelText }> {
  for (const [channel, was] of channelsOf(source.form, eventsOf(source.body))) {
    const isShort = source.body.length < MAX_FIXTURE_BYTES;
    const places = placesOf(was);
    if (places.length === 0) continue;
    const some = (list: readonly number[]): number => list[Math.floor(random() * list.length)]!;
    for (const secret of SECRETS) {
      const spaced = ` ${secret} `;
      for (let cut = 1; cut < spaced.length; cut += isShort ? 3 : 17) {
        yield { channel, was, ...plant(was, some(places), spaced, cut), secret };
      }
      for (const at of [places[0]!, places.at(-1)!, some(places)]) {
        yield { channel, was, ...plant(was, at, secret, Math.floor(random() * secret.length)), secret };
      }
    }
  }
}

const wholeText = (kind: TextKind, text: string): string => {
  const session = again(opened);
  return guardedText(text, new Channel(kind, session.plan.hooks['llm-output'], session, new LocalTally()));
};

function toldBy(form: GuardedForm, output: string, channel: string): string {
  return channelsOf(form, eventsOf(output)).get(channel)?.text ?? '';
}

describe('secrets planted into recorded streams', () => {
  test('the streams are there, of each form, with text, reasoning and arguments of tools', () => {
    const kinds = new Set(
      FIXTURES.flatMap(({ form, body }) => [...channelsOf(form, eventsOf(body)).values()].map(({ kind }) => kind)),
    );
    assert.deepEqual([...kinds].sort(), ['arguments', 'reasoning', 'text']);
    assert.deepEqual(new Set(FIXTURES.map(({ form }) => form)).size, 3);
  });

  for (const source of SOURCES) {
    test(`a secret in ${source.name} is told as in the whole text, and no beginning of it leaves before`, () => {
      const random = randomFrom(source.body.length);
      for (const { channel, was, text, ends, secret } of plantings(source, random)) {
        const whole = wholeText(was.kind, text);
        const events = said(source, channel, was.text, text, ends);
        const { output, error, steps } = streamed(again(opened), source.form, events);
        const about = `${secret} in ${channel} of ${JSON.stringify(events)}`;
        assert.equal(error, undefined, about);
        assert.equal(toldBy(source.form, output, channel), whole, about);
        if (!whole.includes(secret)) assert.ok(!output.includes(secret), about);
        // What has left at any time begins what is told in the end: no part of a find went ahead of it.
        const step = steps[Math.floor(random() * steps.length)]!;
        assert.ok(whole.startsWith(toldBy(source.form, step, channel)), about);
      }
    });

    test(`a secret in ${source.name} that is refused ends the stream before any of it leaves`, () => {
      const random = randomFrom(source.body.length + 1);
      for (const { channel, was, text, ends, secret } of plantings(source, random)) {
        if (wholeText(was.kind, text).includes(secret)) continue;
        const { output, error } = streamed(
          again(refusingOpened),
          source.form,
          said(source, channel, was.text, text, ends),
        );
        assert.equal(error?.code, 'guardrail_blocked');
        // Neither it nor the most of it.
        assert.ok(!output.includes(secret.slice(0, Math.ceil(secret.length / 2))), output);
      }
    });

    test(`no more of ${source.name} is held than the longest match that may be under way`, () => {
      const events = eventsOf(source.body).map(written);
      const { output, steps } = streamed(again(opened), source.form, events);
      if (output !== events.join('')) return;
      const set = opened.plan.hooks['llm-output']!.changing!;
      const bound = Math.max(...set.recognisers.map(({ maxCharacters }) => maxCharacters));
      for (const [at, step] of steps.entries()) {
        if (at % 7 !== 0) continue;
        const came = channelsOf(source.form, eventsOf(events.slice(0, at + 1).join('')));
        const left = channelsOf(source.form, eventsOf(step));
        const last = events[at]!.length;
        for (const [name, { text }] of came) {
          const held = text.length - (left.get(name)?.text.length ?? 0);
          assert.ok(held <= bound + last, `${held} of ${name}`);
        }
      }
    });
  }
});
