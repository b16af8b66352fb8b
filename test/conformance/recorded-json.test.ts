import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { GatewayError } from '../../src/core/errors.ts';
import type { Dialect } from '../../src/dialects/dialect.ts';
import type { Usage } from '../../src/inference/usage.ts';
import { allPlugs, dialects, wiresOf } from '../../src/plugs.ts';
import type { Wire } from '../../src/providers/provider.ts';
import { makeAnswer } from '../../src/relay/answer-translation.ts';
import { translateRequest } from '../../src/relay/request-translation.ts';
import { WholePassthrough } from '../../src/relay/whole-passthrough.ts';
import { UsageMeter } from '../../src/usage/usage-meter.ts';
import { noRecordings, recordedProviders, recordings } from '../support/recordings.ts';
import { exampleTarget } from '../support/targets.ts';
import { FakeRelayHost } from '../unit/relay/fake-relay-host.ts';

const DIALECTS = dialects();
const WIRES = wiresOf(allPlugs());

const unmarked = (body: Buffer) => ({ body, cacheMarker: undefined });

interface Recorded {
  readonly name: string;
  readonly path: string;
  readonly request: string;
  readonly answer: string;
}

const folder = join(import.meta.dirname, '../fixtures/recorded-json');
const fixtures: Recorded[] = readdirSync(folder).map((file) => {
  const { request, answer } = JSON.parse(readFileSync(join(folder, file), 'utf8'));
  return { name: file, path: request.path, request: JSON.stringify(request.body), answer };
});
const recorded: Recorded[] = [...recordedProviders, 'bedrock'].flatMap((provider) =>
  recordings(provider).flatMap(({ name, request, response }) =>
    response.status === 200 && response.body !== undefined && request.body !== undefined
      ? [{ name: `${provider} ${name}`, path: request.path, request: request.body, answer: response.body }]
      : [],
  ),
);

const FORMS: readonly (readonly [path: RegExp, name: string])[] = [
  [/\/embeddings$/, 'openai-embeddings'],
  [/\/moderations$/, 'openai-moderations'],
  [/\/rerank$/, 'cohere-rerank'],
];

interface PassedForm {
  readonly dialect: Dialect;
  readonly wire: Wire;
}

function formOf({ path }: Recorded): PassedForm | undefined {
  const name = FORMS.find(([pattern]) => pattern.test(path))?.[1];
  const dialect = DIALECTS.find((each) => each.name === name);
  const wire = WIRES.find((each) => each.name === name);
  return dialect && wire && { dialect, wire };
}

const HOLD_BYTES = 65_536;

function carried(
  { dialect, wire }: PassedForm,
  chunks: readonly Buffer[],
): { output: Buffer; usage: Usage | undefined } {
  const host = new FakeRelayHost();
  const meter = new UsageMeter();
  const mode = new WholePassthrough({
    host,
    meter,
    wire,
    target: exampleTarget,
    form: dialect.answers,
    contentType: 'application/json',
    endsWithConnection: true,
    holdBytes: HOLD_BYTES,
  });
  for (const chunk of chunks) mode.chunk(chunk);
  mode.ended();
  assert.equal(host.error, undefined);
  assert.ok(host.finished);
  return { output: host.output(), usage: meter.usage };
}

function checkPassed(each: Recorded): void {
  const form = formOf(each)!;
  const scan = form.dialect.scan({ path: each.path, params: {}, headers: {} } as never);
  const request = Buffer.from(each.request);
  scan.advance(request, request.length);
  const peeked = scan.result(request);
  assert.ok(!(peeked instanceof GatewayError), each.name);
  assert.equal(peeked.choices, 0);
  const edits = { modelId: peeked.model, askUsage: false, developerAsSystem: false };
  const spliced = form.dialect.splice(request, peeked, edits);
  assert.ok(!(spliced instanceof GatewayError), each.name);
  assert.equal(Buffer.concat([spliced].flat()).toString(), each.request, each.name);

  const answer = Buffer.from(each.answer);
  const told = JSON.parse(each.answer);
  const inputTokens = told.usage?.prompt_tokens ?? told.usage?.total_tokens;
  const step = Math.max(1, Math.floor(answer.length / 50));
  for (let at = 0; at < answer.length; at += step) {
    const { output, usage } = carried(form, [answer.subarray(0, at), answer.subarray(at)]);
    assert.ok(output.equals(answer), `${each.name} cut at ${at}`);
    assert.equal(usage?.inputTokens, inputTokens, each.name);
    assert.equal(usage?.rare?.searchUnits, told.meta?.billed_units?.search_units, each.name);
  }
}

function checkRewritten(each: Recorded): void {
  const { dialect } = formOf(each)!;
  const { vectors } = dialect.answers;
  const answer = Buffer.from(each.answer);
  if (vectors?.written(answer) !== 'float') return;
  const base64 = vectors.rewrite(answer, 'base64');
  assert.ok(!(base64 instanceof GatewayError));
  assert.equal(vectors.written(base64), 'base64');
  const floats = vectors.rewrite(base64, 'float');
  assert.ok(!(floats instanceof GatewayError));
  const expected = JSON.parse(each.answer);
  for (const entry of expected.data) entry.embedding = entry.embedding.map(Math.fround);
  assert.deepEqual(JSON.parse(floats.toString()), expected, each.name);
}

const GEMINI = /:batchEmbedContents$/;

interface GeminiRequest {
  readonly requests: { model: string; content: { parts: { text?: string }[] }; outputDimensionality?: number }[];
}

function checkGemini(each: Recorded): void {
  const dialect = DIALECTS.find(({ name }) => name === 'openai-embeddings')!;
  const wire = WIRES.find(({ name }) => name === 'gemini-embed-contents')!;
  const asked: GeminiRequest = JSON.parse(each.request);
  const model = asked.requests[0]!.model.replace('models/', '');
  const input = asked.requests.map(({ content }) => content.parts[0]?.text);
  const dimensions = asked.requests[0]!.outputDimensionality;
  const made = translateRequest(
    dialect.translation!,
    wire.translation!,
    { id: `g/${model}`, modelId: model },
    unmarked(Buffer.from(JSON.stringify({ model: `g/${model}`, input, dimensions }))),
  );
  // A picture beside a text has no place in OpenAI's form.
  if (asked.requests.every(({ content }) => content.parts.length === 1)) {
    assert.ok(!(made instanceof GatewayError), each.name);
    assert.deepEqual(JSON.parse(made.body.toString()), asked, each.name);
  }
  const context = { exchangeId: 'ex', model: `g/${model}`, includeUsage: true, created: 0 };
  const answer = makeAnswer({ dialect, wire, context, answer: Buffer.from(each.answer), parts: undefined });
  assert.ok('body' in answer, each.name);
  const { embeddings, usageMetadata } = JSON.parse(each.answer);
  const { data, usage } = JSON.parse(answer.body.toString());
  assert.deepEqual(
    data.map(({ embedding }: { embedding: number[] }) => embedding),
    embeddings.map(({ values }: { values: number[] }) => values),
    each.name,
  );
  assert.equal(usage?.prompt_tokens, usageMetadata?.promptTokenCount, each.name);
}

const isPassed = (each: Recorded): boolean => formOf(each) !== undefined;
/** Longer requests, with pictures in them, were cut where they were recorded. */
const MAX_RECORDED_CHARACTERS = 20_000;
const isGemini = ({ path, request }: Recorded): boolean =>
  GEMINI.test(path) && request.length < MAX_RECORDED_CHARACTERS;

test('an answer after recorded vectors, verdicts and scores passes byte for byte, however it is cut, and is metered', () => {
  assert.equal(fixtures.filter(isPassed).length, 5);
  for (const each of fixtures.filter(isPassed)) checkPassed(each);
});

test('recorded vectors, verdicts and scores pass byte for byte, however they are cut, and are metered', {
  skip: noRecordings,
}, () => {
  const all = recorded.filter(isPassed);
  assert.ok(all.length >= 20, `${all.length}`);
  for (const each of all) checkPassed(each);
});

test('vectors that are written as base64 and back are the same 32-bit floats, and all else stays', () => {
  for (const each of [...fixtures, ...recorded].filter(isPassed)) checkRewritten(each);
});

test('Gemini is asked as in the recordings, and its numbers come back as they are', () => {
  assert.equal(fixtures.filter(isGemini).length, 1);
  for (const each of [...fixtures, ...recorded].filter(isGemini)) checkGemini(each);
});

const BEDROCK = /^\/model\/([^/]*embed[^/]*)\/invoke$/;

test('vectors of Titan, Cohere and Nova on Bedrock come back as they are, with the tokens that Titan counts', () => {
  const dialect = DIALECTS.find(({ name }) => name === 'openai-embeddings')!;
  const wire = WIRES.find(({ name }) => name === 'bedrock-invoke-embeddings')!;
  const all = [...fixtures, ...recorded].filter(({ path }) => BEDROCK.test(path));
  assert.ok(all.length >= 3);
  for (const { name, path, request, answer } of all) {
    const modelId = BEDROCK.exec(path)![1]!;
    const asked = JSON.parse(request);
    const made = translateRequest(
      dialect.translation!,
      wire.translation!,
      { id: 'b/m', modelId },
      unmarked(
        Buffer.from(
          JSON.stringify({
            model: 'b/m',
            input: asked.texts ?? asked.inputText ?? asked.singleEmbeddingParams.text.value,
            input_type: asked.input_type,
            dimensions: asked.dimensions ?? asked.output_dimension,
          }),
        ),
      ),
    );
    assert.ok(!(made instanceof GatewayError), name);
    const { normalize: _default, ...expected } = asked;
    if (asked.texts) expected.embedding_types = ['float'];
    if (asked.singleEmbeddingParams) expected.singleEmbeddingParams.text.truncationMode = 'NONE';
    delete expected.singleEmbeddingParams?.embeddingDimension;
    assert.deepEqual(JSON.parse(made.body.toString()), expected, name);
    const context = { exchangeId: 'ex', model: 'b/m', includeUsage: true, created: 0 };
    const written = makeAnswer({ dialect, wire, context, answer: Buffer.from(answer), parts: undefined });
    assert.ok('body' in written, name);
    const told = JSON.parse(answer);
    const { data, usage } = JSON.parse(written.body.toString());
    const vectors = told.embedding ? [told.embedding] : (told.embeddings.float ?? [told.embeddings[0].embedding]);
    assert.deepEqual(
      data.map(({ embedding }: { embedding: number[] }) => embedding),
      vectors,
      name,
    );
    assert.equal(usage?.prompt_tokens, told.inputTextTokenCount, name);
  }
});

const VERTEX = /\/([^/]*embedding[^/]*):predict$/;

test('Vertex is asked as in the recordings, its numbers come back as they are, and its counts are summed', () => {
  const dialect = DIALECTS.find(({ name }) => name === 'openai-embeddings')!;
  const wire = WIRES.find(({ name }) => name === 'vertex-predict-embeddings')!;
  const all = [...fixtures, ...recorded].filter(({ path }) => VERTEX.test(path));
  assert.ok(all.length >= 1);
  for (const { name, path, request, answer } of all) {
    const modelId = VERTEX.exec(path)![1]!;
    const asked: { instances: { content: string }[]; parameters?: { outputDimensionality: number } } =
      JSON.parse(request);
    const input = asked.instances.map(({ content }) => content);
    const dimensions = asked.parameters?.outputDimensionality;
    const body = Buffer.from(JSON.stringify({ model: 'v/m', input, dimensions }));
    const made = translateRequest(dialect.translation!, wire.translation!, { id: 'v/m', modelId }, unmarked(body));
    assert.ok(!(made instanceof GatewayError), name);
    assert.deepEqual(JSON.parse(made.body.toString()), asked, name);
    const context = { exchangeId: 'ex', model: 'v/m', includeUsage: true, created: 0 };
    const written = makeAnswer({ dialect, wire, context, answer: Buffer.from(answer), parts: undefined });
    assert.ok('body' in written, name);
    const told: { embeddings: { values: number[]; statistics: { token_count: number } } }[] =
      JSON.parse(answer).predictions;
    const { data, usage } = JSON.parse(written.body.toString());
    assert.deepEqual(
      data.map(({ embedding }: { embedding: number[] }) => embedding),
      told.map(({ embeddings }) => embeddings.values),
      name,
    );
    assert.equal(
      usage.prompt_tokens,
      told.reduce((sum, { embeddings }) => sum + embeddings.statistics.token_count, 0),
      name,
    );
  }
});
