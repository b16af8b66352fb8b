import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isSignedBy, readPriceList, signingKey } from '../../../src/config/price-list.ts';
import { configurationOf, loadText, manifestFolder } from './manifest-folder.ts';

const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32).toString('base64');
const MODEL = { id: 'gpt-4o', prices: { input_mtok: 1, output_mtok: { base: 2, tiers: [{ start: 1000, price: 3 }] } } };
const LIST = JSON.stringify({ version: '2026-12-01', providers: [{ id: 'openai', models: [MODEL] }] });
const digest = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 8);

test('a list is read in both forms, a model without `match` is that of its id, and the version tells lists apart', () => {
  const list = readPriceList(Buffer.from(LIST));
  assert.ok(typeof list !== 'string');
  assert.equal(list.version, `2026-12-01 ${digest(LIST)}`);
  assert.deepEqual(list.providers[0]?.models[0]?.match, { equals: 'gpt-4o' });
  const plain = JSON.stringify([
    {
      id: 'deepseek',
      name: 'DeepSeek',
      api_pattern: 'x',
      models: [
        {
          id: 'chat',
          match: { or: [{ equals: 'chat' }, { regex: '^chat-\\d+$' }] },
          prices: [
            { prices: { input_mtok: 2 } },
            { constraint: { type: 'start_date', start_date: '2026-12-01' }, prices: { input_mtok: 1 } },
            { constraint: { type: 'time_of_date', start_time: '16:30:00Z', end_time: '00:30:00Z' }, prices: {} },
          ],
        },
      ],
    },
  ]);
  const own = readPriceList(Buffer.from(plain));
  assert.ok(typeof own !== 'string', String(own));
  assert.equal(own.version, digest(plain));
});

test('the price list of the documentation is one', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/providers.md'), 'utf8');
  const [, block = ''] = /```json\n(\{\n {2}"version"[\s\S]*?)```/.exec(page) ?? [];
  assert.notEqual(typeof readPriceList(Buffer.from(block)), 'string');
});

for (const [what, text, said] of [
  ['no JSON', '{', /^it is not JSON$/],
  ['no list', '{"prices": []}', /^it is no price list: providers: /],
  ['a negative price', JSON.stringify([{ id: 'a', models: [{ id: 'm', prices: { input_mtok: -1 } }] }]), /input_mtok/],
  ['a price as text', JSON.stringify([{ id: 'a', models: [{ id: 'm', prices: { input_mtok: '1' } }] }]), /input_mtok/],
  [
    'no regular expression',
    JSON.stringify([{ id: 'a', models: [{ id: 'm', match: { regex: '(' }, prices: {} }] }]),
    /match/,
  ],
  [
    'a time within a minute',
    JSON.stringify([
      {
        id: 'a',
        models: [
          {
            id: 'm',
            prices: [
              { constraint: { type: 'time_of_date', start_time: '16:30:30Z', end_time: '00:00:00Z' }, prices: {} },
            ],
          },
        ],
      },
    ]),
    /a full minute/,
  ],
] as const) {
  test(`a list with ${what} is refused in words`, () => {
    const read = readPriceList(Buffer.from(text));
    assert.ok(typeof read === 'string');
    assert.match(read, said);
  });
}

test('a signature counts in both of its forms, with the key in both of its forms, and for these bytes alone', () => {
  const bytes = Buffer.from(LIST);
  const signature = sign(null, bytes, privateKey);
  for (const key of [pem, raw]) {
    assert.ok(signingKey(key));
    assert.ok(isSignedBy(key, bytes, signature));
    assert.ok(isSignedBy(key, bytes, Buffer.from(`${signature.toString('base64')}\n`)));
    assert.ok(!isSignedBy(key, Buffer.from(`${LIST} `), signature));
    assert.ok(!isSignedBy(key, bytes, Buffer.from('')));
  }
  assert.equal(signingKey('AAAA'), undefined);
  assert.equal(signingKey('ssh-ed25519 AAAA'), undefined);
  assert.equal(
    signingKey(
      generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    ),
    undefined,
  );
});

test('a list in a file is a part of the configuration, and its files are watched', (t) => {
  const folder = manifestFolder(t, {
    'prices.json': LIST,
    'prices.json.sig': sign(null, Buffer.from(LIST), privateKey),
  });
  const load = (prices: string) => loadText(t, `type: sluice/server\nprices: ${prices}`);
  const plain = load(`{file: ${folder}/prices.json}`);
  assert.equal(configurationOf(plain).server.prices?.list?.version, `2026-12-01 ${digest(LIST)}`);
  assert.ok(plain.result.files.includes(`${folder}/prices.json`));
  const signed = load(`{file: ${folder}/prices.json, public_key: "${raw}"}`);
  assert.ok(configurationOf(signed).server.prices?.list);
  assert.ok(signed.result.files.includes(`${folder}/prices.json.sig`));
});

test('a list that is not there, not signed or no list is a fault', (t) => {
  const other = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'der' }).subarray(-32);
  const folder = manifestFolder(t, {
    'prices.json': LIST,
    'signed.json': LIST,
    'signed.json.sig': sign(null, Buffer.from(LIST), privateKey).toString('base64'),
    'wrong.json': '[]x',
  });
  for (const [prices, said] of [
    [`{file: ${folder}/none.json}`, /prices.file: cannot read .*none.json: there is no such file/],
    [`{file: ${folder}/prices.json, public_key: "${raw}"}`, /cannot read .*prices.json.sig: there is no such file/],
    [
      `{file: ${folder}/signed.json, public_key: "${other.toString('base64')}"}`,
      /is not the signature of .*signed.json/,
    ],
    [`{file: ${folder}/wrong.json}`, /wrong.json: it is not JSON/],
    ['{}', /prices: it must be said once where the list is — found neither/],
    ['{file: a.json, url: "https://a.example/b"}', /found both; allowed: exactly one of `file` and `url`/],
    ['{url: "http://a.example/b"}', /prices.url: .*allowed: an https:\/\/ address/],
    ['{url: "https://a.example/b", public_key: x}', /prices.public_key: .*allowed: an Ed25519 key/],
  ] as const) {
    assert.match(loadText(t, `type: sluice/server\nprices: ${prices}`).faults.join('\n'), said);
  }
});
