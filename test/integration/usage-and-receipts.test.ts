import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { ask, messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, KEY, type RunningGateway, recordOf, startGateway } from '../support/gateway.ts';
import { startCountingProvider } from '../support/ledger-load.ts';
import { completion, type FakeProvider } from '../support/provider.ts';
import { startRawProvider, wholeAnswer } from '../support/raw-provider.ts';
import { openAccount } from '../support/scripted-provider.ts';
import { sluice } from '../support/sluice-command.ts';

const ADMIN_KEY = 'sk-admin-of-this-test';
const withAdmin = { operator: { host: '127.0.0.1', port: 0, admin_key: ADMIN_KEY } };
const OTHER_KEY = 'sk-of-somebody-else-1';

let provider: FakeProvider;
let gateway: RunningGateway;
before(async () => {
  provider = await startCountingProvider();
  const priced = ['m', 'silent'].map((name) => ({
    name,
    type: 'integration/model/openai',
    model_id: name,
    model_types: ['chat'],
    cost: { metric: 'per_1000_tokens', value: { input: 1, output: 2 } },
  }));
  gateway = await startGateway({
    server: {
      ...withAdmin,
      ledger: { metadata_keys: ['env'] },
    },
    keys: [
      { name: 'test', key: KEY, subject: 'user:bob@example.com', teams: ['search', 'ads'] },
      { name: 'other', key: OTHER_KEY, subject: 'virtualaccount:ci' },
    ],
    manifests: [openAccount('p', `${provider.origin}/v1`, { integrations: priced })],
  });
});
disposeAfter(() => [gateway, provider]);

async function exchange(body: object, headers: Record<string, string> = {}, key = KEY): Promise<string> {
  const response = await ask(gateway, { messages, ...body }, { headers, key });
  await response.text();
  return response.headers.get('x-sluice-exchange-id') ?? '';
}

const admin = (path: string, at = gateway): Promise<Response> =>
  fetch(`${at.operatorUrl}${path}`, { headers: { authorization: `Bearer ${ADMIN_KEY}` } });

async function receiptOf(id: string, at = gateway): Promise<Record<string, Record<string, unknown>>> {
  await eventually(`a receipt of ${id}`, async () => (await admin(`/admin/receipts/${id}`, at)).status === 200, 10_000);
  return JSON.parse(await (await admin(`/admin/receipts/${id}`, at)).text());
}

const command = (...words: string[]) => sluice([...words, '--config', gateway.configFile]);

test('a receipt says who asked, what, where it went, what it used and cost, and its place in the chain', async () => {
  const id = await exchange(
    { model: 'p/m' },
    { 'x-request-id': 'mine-1', 'x-tfy-metadata': '{"env":"prod","secret":"no"}' },
  );
  const next = await exchange({ model: 'p/m', stream: true });
  const receipt = await receiptOf(id);
  assert.equal(receipt['request_id'], 'mine-1');
  assert.deepEqual(receipt['who'], {
    subject: 'user:bob@example.com',
    key_id: 'test',
    teams: ['search', 'ads'],
    metadata: { env: 'prod' },
  });
  assert.equal(receipt['what']?.['model'], 'p/m');
  assert.equal(receipt['what']?.['path'], '/chat/completions');
  assert.equal(receipt['route']?.['target'], 'p/m');
  assert.equal(receipt['route']?.['attempts'], 1);
  assert.deepEqual(receipt['outcome'], { status: 200, outcome: 'ok', error_code: null, error_detail: null });
  assert.equal(receipt['usage']?.['source'], 'provider');
  assert.equal(receipt['usage']?.['input_tokens'], 5);
  assert.equal(receipt['usage']?.['cache_read_input_tokens'], null);
  // 5 × 1 + 7 × 2 dollars for 1,000.
  assert.equal(receipt['cost']?.['nano_usd'], 19_000_000);
  assert.equal(receipt['cost']?.['usd'], 0.019);
  const table = receipt['cost']?.['price_table'];
  assert.deepEqual(table, {
    hash: (table as { hash: string }).hash,
    unit: 'nano-dollars per token',
    rates: { perExchange: 0, bands: [{ fromInputTokens: 0, rates: { input: 1e6, output: 2e6 } }] },
  });
  assert.ok(Number(receipt['latency_ms']?.['overhead']) > 0);
  const following = await receiptOf(next);
  assert.equal(following['what']?.['stream'], true);
  assert.equal(Number(following['ledger']?.['seq']), Number(receipt['ledger']?.['seq']) + 1);
  const [frame, behind] = [receipt['ledger'], following['ledger']];
  // In the same frame of the ledger, or in the one behind it.
  assert.ok(behind?.['hash'] === frame?.['hash'] || behind?.['previous_hash'] === frame?.['hash']);
});

test('a receipt of an exchange that was refused, or whose tokens were estimated, says so', async () => {
  const refused = await receiptOf(await exchange({ model: 'p/none' }));
  assert.equal(refused['outcome']?.['error_code'], 'model_not_found');
  assert.equal(refused['usage']?.['input_tokens'], null);
  assert.equal(refused['cost']?.['nano_usd'], null);
  const estimated = await receiptOf(await exchange({ model: 'p/silent' }));
  assert.equal(estimated['usage']?.['source'], 'estimate');
  assert.ok(Number(estimated['cost']?.['nano_usd']) > 0);
});

test('a receipt names the attempts that failed before the one that answered, and why', async () => {
  const dying = await startRawProvider((socket, _body, requestOfConnection) => {
    if (requestOfConnection === 1) socket.write(wholeAnswer(completion('hello')));
    else socket.end();
  });
  const second = await startGateway({ server: withAdmin, manifests: [openAccount('p', `${dying.origin}/v1`)] });
  try {
    await (await ask(second, { model: 'p/m', messages })).text();
    const response = await ask(second, { model: 'p/m', messages });
    assert.equal(response.status, 200);
    await response.text();
    const receipt = await receiptOf(response.headers.get('x-sluice-exchange-id') ?? '', second);
    assert.equal(receipt['route']?.['attempts'], 2);
    const failed = receipt['route']?.['failed_attempts'];
    assert.match(JSON.stringify(failed), /^\[\{"target":"p\/m","error":"upstream_cut","ms":\d+\}\]$/);
  } finally {
    await second[Symbol.asyncDispose]();
    await dying[Symbol.asyncDispose]();
  }
});

test('without a ledger there is no journal, and everything else is as before', async () => {
  const without = await startGateway({
    server: { ...withAdmin, ledger: { enabled: false } },
    manifests: [openAccount('p', `${provider.origin}/v1`)],
  });
  try {
    const response = await ask(
      without,
      { model: 'p/silent', messages, user: 'x' },
      { headers: { 'x-request-id': 'r1' } },
    );
    assert.equal(response.status, 200);
    await response.text();
    await recordOf(without, 'r1');
    assert.equal(await without.metric('ai_gateway_requests_total'), 1);
    assert.equal(existsSync(join(without.folder, 'data', 'journal')), false);
    assert.doesNotMatch(await without.metrics(), /sluice_ledger/);
    const id = response.headers.get('x-sluice-exchange-id') ?? '';
    assert.equal((await admin(`/admin/receipts/${id}`, without)).status, 404);
  } finally {
    await without[Symbol.asyncDispose]();
  }
});

test('an unknown receipt is 404, and no receipt is given without the admin key', async () => {
  const unknown = await admin('/admin/receipts/ex_unknown');
  assert.equal(unknown.status, 404);
  assert.match(await unknown.text(), /ex_unknown/);
  assert.equal((await fetch(`${gateway.operatorUrl}/admin/receipts/ex_unknown`)).status, 401);
});

test('usage is the sum of the receipts, by the admin API as JSON and CSV and by the command while the gateway runs', async () => {
  const ids: string[] = [];
  for (let count = 0; count < 4; count += 1) ids.push(await exchange({ model: 'p/m' }, {}, OTHER_KEY));
  for (const id of ids) await receiptOf(id);
  const answer = await admin('/admin/usage?by=virtualaccount,model&since=1h');
  assert.equal(answer.status, 200);
  const report = JSON.parse(await answer.text());
  const row = report.rows.find((each: { virtualaccount: string | null }) => each.virtualaccount === 'ci');
  assert.deepEqual(
    { requests: row.requests, model: row.model, cost: row.cost_nano_usd, input: row.input_tokens },
    { requests: 4, model: 'p/m', cost: 4 * 19_000_000, input: 20 },
  );
  assert.equal(
    report.rows.reduce((sum: number, each: { requests: number }) => sum + each.requests, 0),
    report.total.requests,
  );

  const csv = await admin('/admin/usage?by=team&since=1h&format=csv');
  assert.match(csv.headers.get('content-type') ?? '', /text\/csv/);
  const lines = (await csv.text()).trim().split('\n');
  assert.match(lines[0] ?? '', /^team,requests,errors,input_tokens/);
  const teams = lines.slice(1).map((line) => line.split(',')[0]);
  assert.deepEqual(new Set(teams), new Set(['search', 'ads', '']));

  const { stdout: table } = await command('usage', '--by', 'team,model', '--since', '7d');
  assert.match(table, /^TEAM +MODEL +REQUESTS/);
  assert.match(table, /search +p\/m/);
  assert.match(table, /total/);
  const { stdout: json } = await command('usage', '--by', 'subject', '--format', 'json');
  assert.deepEqual(JSON.parse(json).total.cost_nano_usd, report.total.cost_nano_usd);
});

test('a question about usage that cannot be answered is refused with what is allowed', async () => {
  for (const [query, words] of [
    ['by=colour', /colour.*metadata\.KEY/],
    ['since=yesterday', /2026-11-22/],
    ['since=2026-02-30', /2026-11-22/],
    ['format=xml', /json or csv/],
  ] as const) {
    const answer = await admin(`/admin/usage?${query}`);
    assert.equal(answer.status, 400);
    assert.match(await answer.text(), words);
  }
  assert.match((await command('usage', '--by', 'colour')).stderr, /colour/);
});

test('sluice ledger verify and receipt work while the gateway runs', async () => {
  const id = await exchange({ model: 'p/m' });
  const shown = await receiptOf(id);
  const { stdout: receipt } = await command('ledger', 'receipt', id);
  assert.deepEqual(JSON.parse(receipt), shown);
  const { stdout: verified } = await command('ledger', 'verify');
  assert.match(
    verified,
    /rows in 1 chain: cost of \d+ computed again, 0 billed by the provider itself, \d+ without cost; 0 faults/,
  );
  assert.match((await command('ledger', 'receipt', 'ex_unknown')).stderr, /ex_unknown/);
});
