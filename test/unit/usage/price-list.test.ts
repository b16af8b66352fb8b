import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { type PriceList, readPriceList } from '../../../src/config/price-list.ts';
import { catalogueHas, catalogueModels, catalogueVersion, usePriceList } from '../../../src/usage/price-catalogue.ts';
import { compilePrice } from '../../../src/usage/price-table.ts';

const USAGE = { inputTokens: 1_000_000, outputTokens: 0 };

function listOf(models: object[], version = 'today'): PriceList {
  const list = readPriceList(Buffer.from(JSON.stringify({ version, providers: [{ id: 'openai', models }] })));
  assert.ok(typeof list !== 'string', String(list));
  return list;
}

afterEach(() => usePriceList(undefined));

test('a model of the list costs what the list says, with its version; all others what the library says', () => {
  const before = compilePrice({ catalogueId: 'openai', modelId: 'gpt-4o-mini' }).costNanoUsd(USAGE);
  const list = listOf([{ id: 'gpt-4o', prices: { input_mtok: 7 } }]);
  usePriceList(list);
  const listed = compilePrice({ catalogueId: 'openai', modelId: 'gpt-4o' });
  assert.deepEqual([listed.costNanoUsd(USAGE), listed.version], [7e9, `prices ${list.version}`]);
  const other = compilePrice({ catalogueId: 'openai', modelId: 'gpt-4o-mini' });
  assert.deepEqual([other.costNanoUsd(USAGE), other.version], [before, catalogueVersion()]);
});

test('a model that the library does not know is in the catalogue once the list has it', () => {
  assert.equal(catalogueHas('openai', 'gpt-99'), false);
  usePriceList(listOf([{ id: 'gpt-99', prices: { input_mtok: 1 } }]));
  assert.equal(catalogueHas('openai', 'gpt-99'), true);
  assert.ok(catalogueModels('openai').includes('gpt-99'));
  assert.ok(catalogueModels('openai').includes('gpt-4o'));
  usePriceList(undefined);
  assert.ok(!catalogueModels('openai').includes('gpt-99'));
});

test('a price that was compiled keeps its list, also where it changes by the clock', () => {
  const dated = (first: number, then: number) => [
    {
      id: 'gpt-4o',
      prices: [
        { prices: { input_mtok: first } },
        { constraint: { type: 'start_date', start_date: '2026-12-01' }, prices: { input_mtok: then } },
      ],
    },
  ];
  usePriceList(listOf(dated(1, 2), 'one'));
  const price = compilePrice({ catalogueId: 'openai', modelId: 'gpt-4o' });
  usePriceList(listOf(dated(3, 4), 'two'));
  assert.equal(price.costNanoUsd(USAGE, Date.parse('2026-11-30T12:00Z')), 1e9);
  assert.equal(price.costNanoUsd(USAGE, Date.parse('2026-12-01T12:00Z')), 2e9);
  const next = compilePrice({ catalogueId: 'openai', modelId: 'gpt-4o' });
  assert.equal(next.costNanoUsd(USAGE, Date.parse('2026-12-01T12:00Z')), 4e9);
});

test('the discount of an account is off the price of the list as well', () => {
  usePriceList(listOf([{ id: 'gpt-4o', prices: { input_mtok: 10 } }]));
  const price = compilePrice({ catalogueId: 'openai', modelId: 'gpt-4o', discountPercent: 20 });
  assert.equal(price.costNanoUsd(USAGE), 8e9);
});
