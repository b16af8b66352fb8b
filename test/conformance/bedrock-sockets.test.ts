import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { answerOfStream, type BedrockAnswer, expected, told } from '../support/bedrock-answers.ts';
import { fixtureAnswers, fixtureStreams } from '../support/bedrock-fixtures.ts';
import { fromStream, fromWhole } from '../support/chat-answer.ts';
import { ask, ChatStream, messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { type RunningGateway, recordOf, startGateway } from '../support/gateway.ts';
import { noRecordings, recordings } from '../support/recordings.ts';
import { decodeChat } from '../support/sdk-streams.ts';
import { type Replay, type ReplayingProvider, startReplayingProvider } from './replaying-provider.ts';

/* Answers of Bedrock, whole and streamed, in pieces and cut, through a gateway and real sockets. */

const AT_ONCE = 16;
const AWS_EVENTS = 'application/vnd.amazon.eventstream';

let provider: ReplayingProvider;
let gateway: RunningGateway;

before(async () => {
  provider = await startReplayingProvider();
  const auth_data = { type: 'access-key-based', access_key_id: 'AKIDEXAMPLE', secret_access_key: 'wJalrXUtnFEMI' };
  const account = { type: 'provider-account/aws-bedrock', name: 'aws', region: 'eu-west-1', auth_data };
  gateway = await startGateway({ manifests: [{ ...account, base_url: provider.origin }] });
});
disposeAfter(() => [gateway, provider]);

interface Recorded {
  readonly label: string;
  readonly bytes: Buffer;
  readonly kind: 'whole' | 'stream';
}

const recorded: Recorded[] = recordings('bedrock')
  .filter(({ request, response }) => request.path.includes('/converse') && response.status === 200)
  .map(({ name, kind, response }) =>
    kind === 'json'
      ? { label: name, kind: 'whole', bytes: Buffer.from(response.body ?? '') }
      : { label: name, kind: 'stream', bytes: Buffer.from(response.body_base64 ?? '', 'base64') },
  );
const fixtures: Recorded[] = [
  ...fixtureAnswers().map(({ label, text }): Recorded => ({ label, kind: 'whole', bytes: Buffer.from(text) })),
  ...fixtureStreams().map(({ label, events }): Recorded => ({ label, kind: 'stream', bytes: Buffer.concat(events) })),
];

let count = 0;

function replay(answer: Recorded, more: Partial<Replay>): string {
  count += 1;
  const key = `bedrock-${count}`;
  const contentType = answer.kind === 'stream' ? AWS_EVENTS : 'application/json';
  provider.replays.set(key, { status: 200, contentType, body: answer.bytes, pieceBytes: undefined, ...more });
  return key;
}

function request({ kind }: Recorded): object {
  const stream = { stream: true, stream_options: { include_usage: true } };
  return { model: 'aws/us.amazon.nova-2-lite-v1:0', messages, ...(kind === 'stream' && stream) };
}

const headersOf = (key: string) => ({ 'idempotency-key': key, 'x-request-id': key });

function saidIn({ kind, bytes }: Recorded) {
  const answer: BedrockAnswer = kind === 'whole' ? JSON.parse(bytes.toString()) : answerOfStream(bytes);
  return { ...expected(answer), written: answer.usage['cacheWriteInputTokens'] };
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const rest = [...items];
  const worker = async (): Promise<void> => {
    for (let next = rest.shift(); next !== undefined; next = rest.shift()) await work(next);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

async function checkCarried(answers: readonly Recorded[]): Promise<void> {
  const keys = new Map<string, Recorded>();
  const cases = answers.flatMap((answer) =>
    [undefined, 7, ...(answer.bytes.length < 8192 ? [1] : [])].map((pieceBytes) => ({ answer, pieceBytes })),
  );
  await inParallel(cases, async ({ answer, pieceBytes }) => {
    const key = replay(answer, { pieceBytes });
    keys.set(key, answer);
    const response = await ask(gateway, request(answer), { headers: headersOf(key) });
    const body = Buffer.from(await response.arrayBuffer());
    const how = `${answer.label} in pieces of ${pieceBytes}`;
    assert.equal(response.status, 200, `${how}: ${body}`);
    const { written: _, ...said } = saidIn(answer);
    assert.deepEqual(told(answer.kind === 'stream' ? fromStream(body) : fromWhole(body)), said, how);
  });
  const lines = new Map<unknown, Record<string, unknown>>();
  for (const key of keys.keys()) lines.set(key, await recordOf(gateway, key));
  for (const [key, answer] of keys) {
    const line = lines.get(key)!;
    const { input, output, cached, written } = saidIn(answer);
    assert.deepEqual(
      {
        outcome: line['sluice.outcome'],
        source: line['sluice.usage.source'],
        input: line['gen_ai.usage.input_tokens'],
        output: line['gen_ai.usage.output_tokens'],
        cached: line['gen_ai.usage.cache_read.input_tokens'],
        written: line['gen_ai.usage.cache_creation.input_tokens'],
      },
      { outcome: 'ok', source: 'provider', input, output, cached, written },
      answer.label,
    );
  }
}

test('every recorded answer of Bedrock reaches a client over sockets as it was said, with its usage', {
  skip: noRecordings,
}, async () => {
  assert.equal(recorded.length, 75);
  await checkCarried(recorded);
});

test('every fixture of Bedrock reaches a client over sockets as it was said, with its usage', async () => {
  assert.ok(fixtures.length > 5);
  await checkCarried(fixtures);
});

/** At every byte of what is short; of the rest around the edges of frames. */
function cutsOf({ bytes, kind }: Recorded): number[] {
  if (kind === 'whole') return [0, 1, Math.floor(bytes.length / 2), bytes.length - 1];
  const cuts: number[] = [];
  for (let at = 0; at < bytes.length; at += bytes.readUInt32BE(at)) {
    cuts.push(at, at + 1, at + 5, at + 12, at + 40, at + bytes.readUInt32BE(at) - 1);
  }
  return cuts.filter((at) => at < bytes.length);
}

async function checkCuts(answers: readonly Recorded[]): Promise<void> {
  const cuts = answers.flatMap((answer) => cutsOf(answer).map((cutAt) => ({ answer, cutAt })));
  await inParallel(cuts, async ({ answer, cutAt }) => {
    const cutBy = (['end', 'reset'] as const)[cutAt % 2];
    const pieceBytes = cutAt % 3 === 0 ? undefined : 50;
    const key = replay(answer, { cutAt, cutBy, pieceBytes });
    const stream = new ChatStream(gateway, request(answer), { headers: headersOf(key) });
    const ended = await stream.ended();
    const { status } = await stream.head();
    const how = `${answer.label}, cut at ${cutAt} of ${answer.bytes.length} by ${cutBy}`;
    if (status !== 200) {
      assert.equal(status, 502, how);
      assert.equal(JSON.parse(stream.text()).error.code, 'upstream_cut', how);
      return;
    }
    assert.equal(answer.kind, 'stream', how);
    assert.equal(ended, 'cut', how);
    const { raised } = await decodeChat(stream.text());
    assert.ok(raised instanceof Error, `${how}: no SDK noticed`);
    assert.ok(!stream.text().includes('[DONE]'), how);
  });
}

test('an answer of Bedrock that is cut within a frame or between two is an error for the client', async () => {
  await checkCuts(fixtures);
});

test('a recorded answer of Bedrock that is cut anywhere is an error for the client', {
  skip: noRecordings,
}, async () => {
  const [whole] = recorded.filter(({ kind }) => kind === 'whole');
  const streams = recorded.filter(({ kind }) => kind === 'stream').sort((a, b) => a.bytes.length - b.bytes.length);
  await checkCuts([whole!, streams[0]!, streams.at(-1)!]);
});

test('a stream of Bedrock is whole behind its usage though its transfer breaks, is reset or never ends', async () => {
  for (const answer of fixtures.filter(({ kind }) => kind === 'stream')) {
    for (const cutBy of ['end', 'reset', 'nothing'] as const) {
      const key = replay(answer, { cutAt: answer.bytes.length, cutBy, pieceBytes: 50 });
      const stream = new ChatStream(gateway, request(answer), { headers: headersOf(key) });
      assert.equal(await stream.ended(), 'whole', `${answer.label} by ${cutBy}`);
    }
  }
});

test('a stream of Bedrock is told by its bytes where its label is missing or wrong', async () => {
  const stream = fixtures.find(({ kind }) => kind === 'stream')!;
  const { written: _, ...said } = saidIn(stream);
  for (const contentType of ['application/octet-stream', 'application/json', '']) {
    const key = replay(stream, { contentType, pieceBytes: 7 });
    const response = await ask(gateway, request(stream), { headers: headersOf(key) });
    assert.deepEqual(told(fromStream(Buffer.from(await response.arrayBuffer()))), said, contentType);
  }
});

test('a client gets the kind of answer that it asked Bedrock for, whichever came', async () => {
  for (const answer of fixtures) {
    const key = replay(answer, { pieceBytes: 7 });
    const asked = request({ ...answer, kind: answer.kind === 'whole' ? 'stream' : 'whole' });
    const response = await ask(gateway, asked, { headers: headersOf(key) });
    const body = Buffer.from(await response.arrayBuffer());
    assert.equal(response.status, 200, `${answer.label}: ${body}`);
    const { written: _, ...said } = saidIn(answer);
    assert.deepEqual(told(answer.kind === 'whole' ? fromStream(body) : fromWhole(body)), said, answer.label);
  }
});
