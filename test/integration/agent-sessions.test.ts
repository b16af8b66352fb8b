import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { completion, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { openAccount } from '../support/scripted-provider.ts';

/* Two accounts of one model: what an agent asks in one session goes to one of them, whose prompt cache is warm. */

let provider: FakeProvider;
let gateway: RunningGateway;

before(async () => {
  provider = await startProvider((_request, response) => sendJson(response, 200, completion('Grüezi')));
  const metadata_keys = ['session_id', 'agent_id', 'prompt_cache_key'];
  const target = (name: string) => ({ target: `${name}/m`, weight: 50 });
  const shared = (name: string, key: string) => ({
    name,
    type: 'integration/model/virtual',
    model_types: ['chat'],
    routing_config: {
      type: 'weight-based-routing',
      load_balance_targets: [target('a'), target('b')],
      sticky_routing: { ttl_seconds: 600, session_identifiers: [{ source: 'metadata', key }] },
    },
  });
  gateway = await startGateway({
    server: { metrics: { metadata_keys }, ledger: { metadata_keys } },
    manifests: [
      openAccount('a', `${provider.origin}/a/v1`),
      openAccount('b', `${provider.origin}/b/v1`),
      {
        type: 'provider-account/virtual-model',
        name: 'group',
        integrations: [shared('agents', 'session_id'), shared('cached', 'prompt_cache_key')],
      },
    ],
  });
});
disposeAfter(() => [gateway, provider]);

/** The targets of each of 12 sessions with three turns each. */
async function targetsOf(turn: (session: string) => Promise<Response>): Promise<(string | null)[][]> {
  const sessions: (string | null)[][] = [];
  for (let session = 0; session < 12; session += 1) {
    const targets = new Set<string | null>();
    for (let each = 0; each < 3; each += 1) {
      targets.add((await turn(`session-${session}`)).headers.get('x-tfy-resolved-model'));
    }
    sessions.push([...targets]);
  }
  return sessions;
}

function assertSticky(sessions: (string | null)[][]): void {
  assert.ok(sessions.every(({ length }) => length === 1));
  assert.deepEqual([...new Set(sessions.flat())].sort(), ['a/m', 'b/m']);
}

test('a session of Claude Code stays at one target of a virtual model, and sessions are shared among them', async () => {
  const client = new Anthropic({ apiKey: KEY, baseURL: gateway.url, maxRetries: 0 });
  const body = { model: 'group/agents', max_tokens: 100, messages: [{ role: 'user' as const, content: 'Hi' }] };
  assertSticky(
    await targetsOf((session) => {
      const headers = { 'x-claude-code-session-id': session, 'x-claude-code-agent-id': 'reviewer' };
      return client.messages.create(body, { headers }).asResponse();
    }),
  );
});

test('a session of Codex stays at one target of a virtual model', async () => {
  const client = new OpenAI({ apiKey: KEY, baseURL: `${gateway.url}/v1`, maxRetries: 0 });
  const body = { model: 'group/agents', input: 'Hi', store: false };
  assertSticky(
    await targetsOf((session) =>
      client.responses.create(body, { headers: { 'session-id': session, 'thread-id': 't' } }).asResponse(),
    ),
  );
});

test('responses of one prompt cache key stay at one target, whichever client sends it', async () => {
  const client = new OpenAI({ apiKey: KEY, baseURL: `${gateway.url}/v1`, maxRetries: 0 });
  const body = { model: 'group/cached', input: 'Hi', store: false };
  assertSticky(
    await targetsOf((prompt_cache_key) => client.responses.create({ ...body, prompt_cache_key }).asResponse()),
  );
});

test('session and agent stand in the access log and in the metrics, so that what a session costs can be asked', async () => {
  const told = { session_id: 'session-3', agent_id: 'reviewer' };
  await eventually('three records of one session', () => {
    const records = gateway.records({ 'http.route': '/messages' });
    return records.filter((record) => isSame(record['sluice.metadata'], told)).length === 3;
  });
  const labels = { metadata_session_id: 'session-3', metadata_agent_id: 'reviewer' };
  await eventually('three requests of one session in the metrics', async () => {
    return (await gateway.metric('ai_gateway_requests_total', labels)) === 3;
  });
});

/** Whatever the order of their keys. */
function isSame(one: unknown, other: object): boolean {
  const sorted = (value: object) => JSON.stringify(Object.entries(value).sort());
  return typeof one === 'object' && one !== null && sorted(one) === sorted(other);
}
