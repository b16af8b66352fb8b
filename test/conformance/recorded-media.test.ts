import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Dialect } from '../../src/dialects/dialect.ts';
import { openAiSpeech, openAiTranscriptions, openAiTranslations } from '../../src/dialects/openai-audio/index.ts';
import { openAiImageEdits, openAiImages } from '../../src/dialects/openai-images/index.ts';
import { countIn, type Usage } from '../../src/inference/usage.ts';
import { COUNTER_NAMES } from '../../src/inference/usage-counters.ts';
import { plug as deepgram } from '../../src/providers/deepgram/index.ts';
import { openAiMediaWires } from '../../src/providers/openai-compatible/media-wires.ts';
import type { Wire } from '../../src/providers/provider.ts';
import { chooseMode } from '../../src/relay/choose-mode.ts';
import { UsageMeter } from '../../src/usage/usage-meter.ts';
import { cuttings } from '../support/cuttings.ts';
import { heldMemory } from '../support/held-memory.ts';
import { noRecordings, recordings } from '../support/recordings.ts';
import { exampleTarget } from '../support/targets.ts';
import { FakeRelayHost } from '../unit/relay/fake-relay-host.ts';
import { limits } from '../unit/relay/local-provider.ts';

function wireOf({ name }: Dialect): Wire {
  return openAiMediaWires.find((wire) => wire.name === name)!;
}

/** An answer about media that its client and its provider speak alike: nothing is translated. */
function carry(dialect: Dialect, contentType: string, chunks: Iterable<Buffer>, wire = wireOf(dialect)) {
  const host = new FakeRelayHost();
  const meter = new UsageMeter();
  const mode = chooseMode(
    { status: 200, headers: { 'content-type': contentType, 'transfer-encoding': 'chunked' } },
    {
      host,
      meter,
      target: exampleTarget,
      wire,
      dialect,
      peeked: {
        model: 'm',
        stream: contentType.startsWith('text/event-stream'),
        includeUsage: false,
        maxOutputTokens: 0,
        choices: 1,
      },
      limits,
      memory: heldMemory(),
      exchangeId: 'x',
      strictForm: false,
      askedUsage: false,
      heavyAnswers: () => Promise.reject(new Error('nothing is written anew')),
      parts: undefined,
      abandoned: new AbortController(),
    },
  );
  assert.ok('chunk' in mode);
  for (const chunk of chunks) mode.chunk(chunk);
  mode.ended();
  return { host, usage: meter.usage ?? {} };
}

function check(label: string, dialect: Dialect, contentType: string, answer: Buffer, expected: Counts): void {
  for (const chunks of cuttings(answer, 100)) {
    const { host, usage } = carry(dialect, contentType, chunks);
    assert.equal(host.error, undefined, label);
    assert.ok(host.finished, label);
    assert.deepEqual(host.behindTheEnd, [], label);
    assert.deepEqual(host.uncommitted, [], label);
    assert.ok(host.output().equals(answer), label);
    assert.equal(host.contentType, contentType, label);
    assert.deepEqual(countsOf(usage), expected, label);
  }
}

type Counts = Record<string, number>;

function countsOf(usage: Usage): Counts {
  const told = COUNTER_NAMES.map((name) => [name, countIn(usage, name)] as const);
  return Object.fromEntries(told.filter((entry): entry is [(typeof entry)[0], number] => entry[1] !== undefined));
}

const transcriptTokens = { inputTokens: 37, outputTokens: 12, audioInputTokens: 37 };
const imageTokens = { inputTokens: 50, outputTokens: 272, imageInputTokens: 40, imageOutputTokens: 272 };
const EXPECTED: Record<string, Counts> = {
  'transcription.deltas.sse': transcriptTokens,
  'transcription.segments.sse': transcriptTokens,
  'transcription.tokens.json': { ...transcriptTokens, audioInputMs: 3_700 },
  'transcription.seconds.json': { audioInputMs: 4_000 },
  'transcription.text.txt': {},
  'image.partial.sse': imageTokens,
  'image.whole.json': imageTokens,
  'speech.events.sse': { inputTokens: 14, outputTokens: 101 },
  'speech.bytes.wav': {},
};
const FORMS: Record<string, Dialect> = {
  transcription: openAiTranscriptions,
  image: openAiImages,
  speech: openAiSpeech,
};
const TYPES: Record<string, string> = {
  sse: 'text/event-stream; charset=utf-8',
  json: 'application/json',
  txt: 'text/plain; charset=utf-8',
  wav: 'audio/wav',
};

const folder = join(import.meta.dirname, '../fixtures/openai-media');

for (const file of readdirSync(folder)) {
  test(`fixture ${file} passes byte for byte, with usage, however it is cut`, () => {
    const [form = '', , kind = ''] = file.split('.');
    check(file, FORMS[form]!, TYPES[kind]!, readFileSync(join(folder, file)), EXPECTED[file]!);
  });
}

const PATHS: readonly (readonly [string, Dialect])[] = [
  ['/audio/speech', openAiSpeech],
  ['/audio/transcriptions', openAiTranscriptions],
  ['/audio/translations', openAiTranslations],
  ['/images/generations', openAiImages],
  ['/images/edits', openAiImageEdits],
];

const RECORDED = PATHS.flatMap(([path, dialect]) =>
  ['openai', 'openrouter', 'mistral', 'xai']
    .flatMap(recordings)
    .filter(({ request, response }) => request.path.endsWith(path) && response.status === 200)
    .map((recording) => ({ dialect, recording })),
);

test('every recorded answer about images and audio passes byte for byte, and tells its usage', {
  skip: noRecordings,
}, () => {
  assert.ok(RECORDED.length > 15);
  for (const { dialect, recording } of RECORDED) {
    const { provider, name, kind, response } = recording;
    const answer = Buffer.from(response.body_base64 ?? response.body ?? '', response.body_base64 ? 'base64' : 'utf8');
    const type = kind === 'bin' ? 'audio/mpeg' : kind === 'sse' ? TYPES['sse']! : 'application/json';
    // Usage is what the recording says of itself, in whatever words.
    const told = /"(seconds|duration|input_tokens|prompt_tokens|cost_in_usd_ticks)":/.test(answer.toString('latin1'));
    for (const size of [answer.length, 4_096]) {
      const chunks = Array.from({ length: Math.ceil(answer.length / size) }, (_, at) =>
        answer.subarray(at * size, (at + 1) * size),
      );
      const { host, usage } = carry(dialect, type, chunks);
      assert.equal(host.error, undefined, name);
      assert.ok(host.finished && host.output().equals(answer), `${provider}: ${name}`);
      const tells = Object.keys(countsOf(usage)).length > 0 || usage.providerCostUsd !== undefined;
      assert.equal(tells, told, `${provider}: ${name}`);
    }
  }
});

test('recorded speech of Deepgram passes byte for byte to a client that speaks OpenAI’s form', {
  skip: noRecordings,
}, () => {
  const spoken = recordings('deepgram').filter(({ request }) => request.path === '/v1/speak');
  assert.ok(spoken.length > 2);
  for (const { name, response } of spoken) {
    const audio = Buffer.from(response.body_base64!, 'base64');
    const { host } = carry(
      openAiSpeech,
      'audio/mpeg',
      [audio.subarray(0, 1_000), audio.subarray(1_000)],
      deepgram.wires[0],
    );
    assert.ok(host.finished && host.output().equals(audio), name);
  }
});
