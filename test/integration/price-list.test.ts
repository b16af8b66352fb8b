import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { ask, messages } from '../support/chat-client.ts';
import { eventually, type RunningGateway, startGateway } from '../support/gateway.ts';
import { completion, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { openAccount } from '../support/scripted-provider.ts';
import { manifestFolder } from '../unit/config/manifest-folder.ts';

/* An answer has 5 + 7 tokens; a list says what a million of them cost, and is named by it. */

const ADMIN_KEY = 'sk-admin-of-this-test';
const operator = { host: '127.0.0.1', port: 0, admin_key: ADMIN_KEY };

let provider: FakeProvider;
before(async () => {
  provider = await startProvider((_request, response) => sendJson(response, 200, completion('yes')));
});
after(() => provider?.[Symbol.asyncDispose]());

const listOf = (usd: number): string =>
  JSON.stringify({
    version: `v${usd}`,
    providers: [{ id: 'openai', models: [{ id: 'gpt-4o', prices: { input_mtok: usd, output_mtok: usd } }] }],
  });

/** Version of the prices and cost in nano-dollars of one more exchange. */
async function priced(gateway: RunningGateway): Promise<[version: string, nanoUsd: number]> {
  const answer = await ask(gateway, { model: 'p/gpt-4o', messages });
  await answer.text();
  const url = `${gateway.operatorUrl}/admin/receipts/${answer.headers.get('x-sluice-exchange-id')}`;
  const receipt = () => fetch(url, { headers: { authorization: `Bearer ${ADMIN_KEY}` } });
  await eventually('a receipt', async () => (await receipt()).status === 200, 10_000);
  const { cost } = JSON.parse(await (await receipt()).text());
  return [cost.price_version, Math.round(cost.usd * 1e9)];
}

async function untilPriced(gateway: RunningGateway, usd: number): Promise<void> {
  let seen = '';
  await eventually(
    `prices v${usd}`,
    async () => {
      const [version, nanoUsd] = await priced(gateway);
      seen = `${version} ${nanoUsd}`;
      return version.startsWith(`prices v${usd} `) && nanoUsd === 12 * usd * 1000;
    },
    15_000,
  ).catch((error: Error) => assert.fail(`${error.message}: ${seen}`));
}

test('a price list in a file counts for new exchanges as soon as it changes; a broken one leaves the old in force', async (t) => {
  const folder = manifestFolder(t, { 'prices.json': listOf(1) });
  const file = join(folder, 'prices.json');
  const gateway = await startGateway({
    server: { operator, prices: { file } },
    manifests: [openAccount('p', `${provider.origin}/v1`)],
  });
  t.after(() => gateway[Symbol.asyncDispose]());
  await untilPriced(gateway, 1);
  await writeFile(`${file}.new`, listOf(2));
  await rename(`${file}.new`, file);
  await untilPriced(gateway, 2);
  await writeFile(file, '{"providers": 5}');
  await eventually('the fault is told', () => /prices\.json: it is no price list: providers/.test(gateway.output()));
  await untilPriced(gateway, 2);
});

test('a signed price list is fetched from its address; what is not signed or does not come leaves the old in force', async (t) => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const served = { list: listOf(1), signature: '', status: 200 };
  const publish = (usd: number): void => {
    served.list = listOf(usd);
    served.signature = sign(null, Buffer.from(served.list), privateKey).toString('base64');
  };
  publish(1);
  const publisher = await startProvider(({ path }, response) => {
    if (path === '/prices.json?x=1') response.writeHead(served.status).end(served.list);
    else if (path === '/prices.json.sig?x=1') response.writeHead(served.status).end(served.signature);
    else response.writeHead(404).end();
  });
  t.after(() => publisher[Symbol.asyncDispose]());
  const prices = {
    url: `${publisher.origin}/prices.json?x=1`,
    public_key: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  };
  const manifests = [openAccount('p', `${provider.origin}/v1`)];
  const gateway = await startGateway({ server: { operator, prices }, manifests });
  t.after(() => gateway[Symbol.asyncDispose]());
  await untilPriced(gateway, 1);
  publish(2);
  // A reload asks at once, without waiting for refresh_hours.
  gateway.process.kill('SIGHUP');
  await untilPriced(gateway, 2);

  served.list = listOf(3);
  gateway.process.kill('SIGHUP');
  await eventually('it is told', () => /its signature is not one of prices\.public_key/.test(gateway.output()));
  await untilPriced(gateway, 2);
  served.status = 500;
  gateway.process.kill('SIGHUP');
  await eventually('it is told', () => /prices\.json answered 500/.test(gateway.output()));
  await untilPriced(gateway, 2);
  assert.ok((await gateway.metric('sluice_price_list_refresh_failures_total')) >= 2);
  assert.match(gateway.output(), /"inForce":"prices v2 [0-9a-f]{8}"/);
});
