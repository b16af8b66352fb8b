import { hash } from 'node:crypto';
import { frameHash } from '../frame-hash.ts';
import { blocksOf, type IdBlock } from '../id-blocks.ts';
import { FrameBuilder, type RowNumbers } from '../ledger-frame.ts';

/** A row as ledgers had them up to 0008, one an exchange. */
export interface OldRow {
  readonly position: number;
  readonly id: string;
  readonly labels: string;
  readonly started_at: number;
  readonly ended_at: number;
  readonly status: number;
  readonly input_tokens: number | null;
  readonly output_tokens: number | null;
  readonly cost_nano_usd: number | null;
  readonly numbers: string;
  readonly detail: string | null;
  readonly hash: string;
}

export interface PackedFrame {
  readonly position: number;
  readonly row_count: number;
  readonly ended_from: number;
  readonly ended_to: number;
  readonly hash: string;
  readonly data: Uint8Array;
  readonly blocks: readonly IdBlock[];
}

const PLACES = 2 ** 40;
/** In the order of their texts. */
const OLD_NUMBERS = [
  'thread',
  'attempts',
  'duration_us',
  'overhead_us',
  'upstream_us',
  'first_token_us',
  'between_tokens_us',
  'bytes_in',
  'bytes_out',
  'cache_read_input_tokens',
  'cache_creation_input_tokens',
  'cache_creation_1h_input_tokens',
  'reasoning_output_tokens',
  'audio_input_tokens',
  'audio_output_tokens',
  'provider_cost_usd',
  'reserved_nano_usd',
] as const satisfies readonly (keyof RowNumbers)[];

/**
 * Rows of one chain in their order as frames: one, or several where rows between them are missing. `before`: the hashes of
 * the row and of the frame that stand before the first. What was forged before stays so: the hash of a frame does not hold
 * where that of one of its rows did not.
 */
export function packRows(rows: readonly OldRow[], before: { row: string; frame: string }): PackedFrame[] {
  const frames: PackedFrame[] = [];
  let previousRow = before.row;
  let previousFrame = before.frame;
  for (let from = 0; from < rows.length; ) {
    const first = rows[from]!;
    const builder = new FrameBuilder();
    let holds = true;
    let to = from;
    for (; to < rows.length && rows[to]!.position === first.position + (to - from); to += 1) {
      const row = rows[to]!;
      holds = holds && oldRowHash(previousRow, row) === row.hash;
      previousRow = row.hash;
      builder.add({
        id: row.id,
        labels: row.labels,
        started_at: row.started_at,
        ended_at: row.ended_at,
        status: row.status,
        input_tokens: row.input_tokens ?? undefined,
        output_tokens: row.output_tokens ?? undefined,
        cost_nano_usd: row.cost_nano_usd ?? undefined,
        numbers: numbersOf(row.numbers),
        detail: row.detail ?? undefined,
      });
    }
    const { endedFrom, endedTo } = builder;
    const data = builder.data();
    const at = { chain: Math.floor(first.position / PLACES), seq: first.position % PLACES };
    const whole = frameHash(previousFrame, { ...at, rows: to - from, endedFrom, endedTo, data });
    previousFrame = holds ? whole : `changed before it was packed: ${whole}`;
    frames.push({
      position: first.position,
      row_count: to - from,
      ended_from: endedFrom,
      ended_to: endedTo,
      hash: previousFrame,
      data,
      blocks: blocksOf(builder.ids),
    });
    from = to;
  }
  return frames;
}

function numbersOf(text: string): RowNumbers {
  const parts = text.split(',');
  const numbers = OLD_NUMBERS.map((name, index) => [name, parts[index] ? Number(parts[index]) : undefined]);
  return Object.fromEntries(numbers);
}

/** By the rule of that time: it must not change. */
export function oldRowHash(previousHash: string, row: Omit<OldRow, 'hash'>): string {
  const text = `${previousHash}
${row.id}
${Math.floor(row.position / PLACES)}
${row.position % PLACES}
${row.labels}
${Math.floor(row.started_at / 1_000)}
${row.started_at % 1_000}
${row.ended_at - row.started_at}
${row.status}
${row.input_tokens ?? ''}
${row.output_tokens ?? ''}
${row.cost_nano_usd ?? ''}
${row.numbers}
${row.detail ?? ''}`;
  return hash('sha256', text, 'base64url');
}
