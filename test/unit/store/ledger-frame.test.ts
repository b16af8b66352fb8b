import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NumberColumn, NumberReader } from '../../../src/codec/number-column.ts';
import { blocksOf } from '../../../src/store/id-blocks.ts';
import { FrameBuilder, type LedgerRow, type RowNumbers, readFrameRows } from '../../../src/store/ledger-frame.ts';
import { randomFrom } from '../../support/random.ts';

const NUMBERS: RowNumbers = {
  thread: 0,
  attempts: 1,
  duration_us: 123_456,
  overhead_us: 250,
  upstream_us: 120_000,
  first_token_us: undefined,
  between_tokens_us: undefined,
  bytes_in: 100,
  bytes_out: 200,
  cache_read_input_tokens: 0,
  cache_creation_input_tokens: undefined,
  cache_creation_1h_input_tokens: undefined,
  reasoning_output_tokens: undefined,
  audio_input_tokens: undefined,
  audio_output_tokens: undefined,
  provider_cost_usd: undefined,
  reserved_nano_usd: undefined,
};

function rowOf(id: string, changes: Partial<LedgerRow> = {}): LedgerRow {
  return {
    id,
    labels: 'labels',
    started_at: 1_764_000_000_000,
    ended_at: 1_764_000_000_123,
    status: 200,
    input_tokens: 5,
    output_tokens: undefined,
    cost_nano_usd: 0,
    numbers: NUMBERS,
    detail: undefined,
    ...changes,
  };
}

function packed(rows: readonly LedgerRow[]): Buffer {
  const builder = new FrameBuilder();
  for (const row of rows) builder.add(row);
  return builder.data();
}

test('a column of numbers gives back every number as it was, unknown ones too', () => {
  const numbers = [
    ...[0, 1, 2, 125, 126, 127, 128, 2 ** 31 - 3, 2 ** 31, 2 ** 40, 2 ** 53 - 3, 2 ** 53 - 1, 1e300, -1, 0.1, -0.5],
    undefined,
    Number.NaN,
    Number.POSITIVE_INFINITY,
  ];
  const column = new NumberColumn(4);
  for (const number of numbers) column.add(number);
  for (const number of [0, 1, -1, -1_000_000, 2 ** 40]) column.addSigned(number);
  const reader = new NumberReader(column.taken());
  assert.deepEqual(
    numbers.map(() => reader.next()),
    numbers,
  );
  assert.deepEqual(
    [1, 2, 3, 4, 5].map(() => reader.signed()),
    [0, 1, -1, -1_000_000, 2 ** 40],
  );
  assert.throws(() => reader.next(), RangeError);
});

test('a frame gives back its exchanges as they were, whatever is in them', () => {
  const long = 2 ** 53 - 1;
  const rows = [
    rowOf('ex_mx0lgnzhc5edd1ddb3c1100005'),
    rowOf('ex_mx0lgnzhc5edd1ddb3c1100003', { labels: 'others', detail: '{"error_detail":"\\n\\u0000"}' }),
    rowOf('ex_otherthread1234567abc100009', {
      started_at: 5,
      ended_at: 4,
      status: 499,
      numbers: { ...NUMBERS, upstream_us: 2 ** 43 },
    }),
    rowOf('x', { cost_nano_usd: long, numbers: { ...NUMBERS, provider_cost_usd: 0.001_25, duration_us: undefined } }),
    rowOf('0short', { numbers: { ...NUMBERS, overhead_us: undefined, upstream_us: undefined } }),
    rowOf('ex_mx0lgnzhc5edd1ddb3c1zzzzzz'),
    rowOf('ex_mx0lgnzhc5edd1ddb3c1000001'),
  ];
  assert.deepEqual(readFrameRows(packed(rows)), rows);
});

test('a frame of many exchanges takes less than forty bytes for each', () => {
  const random = randomFrom(7);
  const some = (most: number): number => Math.floor(random() * random() * most);
  let started = 1_764_000_000_000;
  const rows = Array.from({ length: 4_000 }, (_, index) => {
    started += some(4);
    const duration = 200_000 + some(5_000_000);
    const input = 20 + some(4_000);
    return rowOf(`ex_mx0lgnzhc5edd1ddb3c1${(36 ** 5 + index + some(300)).toString(36)}`, {
      labels: `label${String(some(200)).padStart(11, '0')}`,
      started_at: started,
      ended_at: started + Math.floor(duration / 1000),
      input_tokens: input,
      output_tokens: some(1_500),
      cost_nano_usd: input * 2_500 + some(1_500) * 10_000,
      numbers: {
        ...NUMBERS,
        duration_us: duration,
        overhead_us: 150 + some(800),
        upstream_us: duration - 150 - some(900),
        first_token_us: some(duration),
        bytes_in: input * 5,
        bytes_out: some(200_000),
        reserved_nano_usd: input * 2_500 + 40_000_000,
      },
    });
  });
  const data = packed(rows);
  assert.deepEqual(readFrameRows(data), rows);
  assert.ok(data.length / rows.length < 40, `${data.length / rows.length} bytes`);
});

test('bytes that are no frame, or one of another form, are refused', () => {
  const data = packed([rowOf('ex_1')]);
  const other = Buffer.from(data);
  other[0] = 9;
  for (const bytes of [other, data.subarray(0, data.length - 3), Buffer.of(1, 31), Buffer.alloc(0)])
    assert.throws(() => readFrameRows(bytes));
});

test('ids of one thread are few blocks, and each is in the block of its beginning', () => {
  assert.deepEqual(blocksOf(['ex_a100001', 'ex_a100002', 'ex_b100001', 'ex_a1000zz', 'ex_a100101', 'q']), [
    { block: 'ex_a1000', rests: '0102zz' },
    { block: 'ex_b1000', rests: '01' },
    { block: 'ex_a1001', rests: '01' },
    { block: '', rests: ' q' },
  ]);
});
