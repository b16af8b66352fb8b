import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import type { Usage } from '../../src/inference/usage.ts';
import { hostOf } from '../../src/providers/openai-compatible/hosts.ts';
import { ask, messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { type RunningGateway, recordOf, startGateway } from '../support/gateway.ts';
import { noRecordings } from '../support/recordings.ts';
import { type RecordedChat, recordedChats, usageIn } from './recorded-chats.ts';
import { type ReplayingProvider, startReplayingProvider } from './replaying-provider.ts';

/*
 * Hosts of the table behind the gateway, each under its own kind of account. Whoever wrote the recorded requests wrote them
 * for that host, so a rule that would change one without need shows here.
 */

const RECORDED = ['deepseek', 'mistral', 'openrouter', 'perplexity', 'gpustack'] as const;
const fixtureFolder = join(import.meta.dirname, '../fixtures/hosts');
const fixtures = readdirSync(fixtureFolder).map((file) => file.replace('.sse', ''));

let provider: ReplayingProvider;
let gateway: RunningGateway;

function accountOf(id: string, base_url: string): object {
  const common = { name: id, base_url, auth_data: { type: 'api-key', api_key: 'sk-of-the-provider' } };
  if (id === 'gpustack') return { type: 'provider-account/openai-compatible', ...common };
  const { kind } = hostOf(id)!;
  if (kind !== undefined) return { type: `provider-account/${kind}`, ...common };
  return { type: 'provider-account/openai-compatible', host: id, ...common };
}

before(async () => {
  provider = await startReplayingProvider();
  const ids = [...new Set([...RECORDED, ...fixtures])];
  gateway = await startGateway({ manifests: ids.map((id) => accountOf(id, `${provider.origin}/v1`)) });
});
disposeAfter(() => [gateway, provider]);

let count = 0;

interface Asked {
  readonly answer: Buffer;
  readonly received: Record<string, unknown>;
  readonly record: Record<string, unknown>;
}

/** Asks for it through the gateway; the provider says the recorded answer in sevens. */
async function replayed(chat: Pick<RecordedChat, 'kind' | 'answer'>, request: object): Promise<Asked> {
  count += 1;
  const key = `host-${count}`;
  const contentType = chat.kind === 'sse' ? 'text/event-stream' : 'application/json';
  provider.replays.set(key, { status: 200, contentType, body: chat.answer, pieceBytes: 7 });
  const headers = { 'idempotency-key': key, 'x-request-id': key };
  const response = await ask(gateway, JSON.stringify(request), { headers });
  const answer = Buffer.from(await response.arrayBuffer());
  assert.equal(response.status, 200, answer.toString());
  return { answer, received: JSON.parse(provider.received.get(key) ?? '{}'), record: await recordOf(gateway, key) };
}

function checkUsage({ record }: Asked, said: Usage, how: string): void {
  assert.equal(record['sluice.outcome'], 'ok', how);
  if (said.outputTokens === undefined) return;
  assert.equal(record['sluice.usage.source'], 'provider', how);
  assert.equal(record['gen_ai.usage.input_tokens'], said.inputTokens, how);
  assert.equal(record['gen_ai.usage.output_tokens'], said.outputTokens, how);
  assert.equal(record['gen_ai.usage.cache_read.input_tokens'], said.cacheReadInputTokens, how);
  assert.equal(record['gen_ai.usage.reasoning.output_tokens'], said.reasoningOutputTokens, how);
}

/** The client that was recorded sends reasoning back under both names that there are; DeepSeek reads the one. */
function withoutSecondName(request: Record<string, unknown>): Record<string, unknown> {
  const list = request['messages'];
  if (!Array.isArray(list)) return request;
  return { ...request, messages: list.map(({ reasoning: _, ...message }) => message) };
}

async function checkRecorded(host: (typeof RECORDED)[number], chat: RecordedChat): Promise<void> {
  const recorded: Record<string, unknown> = JSON.parse(chat.request!);
  const told = host === 'mistral' || host === 'perplexity';
  const asked = await replayed(chat, { ...recorded, model: `${host}/${recorded['model']}` });
  const options = recorded['stream_options'];
  if (told || options !== undefined || chat.kind === 'json') {
    assert.equal(asked.answer.toString('latin1'), chat.answer.toString('latin1'), chat.label);
  }
  checkUsage(asked, usageIn(chat), chat.label);
  const { stream_options: sent, ...received } = asked.received;
  const { stream_options: _, ...written } = host === 'deepseek' ? withoutSecondName(recorded) : recorded;
  assert.deepEqual(received, written, chat.label);
  assert.deepEqual(sent, told || chat.kind === 'json' ? options : { include_usage: true }, chat.label);
}

for (const host of RECORDED) {
  test(`recordings of ${host} pass through its kind of account: answer, usage, and the request as it was`, {
    skip: noRecordings,
  }, async () => {
    const chats = recordedChats(host).filter(({ status, request }) => status === 200 && request !== undefined);
    assert.ok(chats.length > 10);
    await Promise.all(chats.map((chat) => checkRecorded(host, chat)));
  });
}

/** By hand, of the fixture’s last words. */
const USAGE: Readonly<Record<string, Usage>> = {
  cerebras: { inputTokens: 70, outputTokens: 25, cacheReadInputTokens: 0 },
  fireworks: { inputTokens: 12, outputTokens: 7, cacheReadInputTokens: 0 },
  groq: { inputTokens: 72, outputTokens: 31, cacheReadInputTokens: 16, reasoningOutputTokens: 9 },
  moonshot: { inputTokens: 19, outputTokens: 21, cacheReadInputTokens: 19 },
  together: { inputTokens: 41, outputTokens: 19, cacheReadInputTokens: 8 },
  // Its reasoning is in the total alone.
  xai: { inputTokens: 30, outputTokens: 124, cacheReadInputTokens: 5, reasoningOutputTokens: 120 },
};

for (const host of fixtures) {
  const answer = readFileSync(join(fixtureFolder, `${host}.sse`));
  test(`a stream of the form that ${host} documents passes byte for byte, with usage, where a client asks for usage`, async () => {
    const request = { model: `${host}/m`, messages, stream: true, stream_options: { include_usage: true } };
    const asked = await replayed({ kind: 'sse', answer }, request);
    assert.equal(asked.answer.toString(), answer.toString());
    checkUsage(asked, USAGE[host]!, host);
    assert.equal(answer.includes('[DONE]'), hostOf(host)!.noDone !== true, 'the row says how its streams end');
  });

  test(`a client of ${host} that does not ask for usage gets all of its stream but an event that asking causes`, async () => {
    const asked = await replayed({ kind: 'sse', answer }, { model: `${host}/m`, messages, stream: true });
    const expected = answer
      .toString()
      .split(/(?<=\n\n)/)
      .filter((event) => !event.includes('"choices":[]'));
    assert.equal(asked.answer.toString(), expected.join(''));
    checkUsage(asked, USAGE[host]!, host);
    const options = hostOf(host)!.usage === 'told' ? undefined : { include_usage: true };
    assert.deepEqual(asked.received['stream_options'], options);
  });
}
