import { z } from 'zod';
import type { Usage } from '../inference/usage.ts';
import type { Database } from '../store/database.ts';
import { contentHash, frameHash } from '../store/frame-hash.ts';
import { blocksOf } from '../store/id-blocks.ts';
import { type LedgerRow, readFrameRows } from '../store/ledger-frame.ts';
import type { LedgerFramesTable, LedgerLabelsTable } from '../store/tables/ledger-tables.ts';
import { chainPosition, seqOf } from './chain-position.ts';
import { isErasedLabels, isErasedSeries } from './erased-text.ts';
import { labelsHash, seriesHash } from './labels.ts';
import { REPORTED } from './price-tables.ts';
import { readDetail, usageOfRow } from './read-row.ts';

/** What a cost should be by a table of rates (its JSON); undefined: that table gives none. Throws where it is no table. */
export type Recompute = (rates: string, usage: Usage) => number | undefined;

export interface LedgerFault {
  readonly gateway: string;
  readonly seq: number;
  readonly id: string | undefined;
  readonly reason: string;
}

export interface Verification {
  readonly chains: number;
  readonly rows: number;
  /** Rows whose cost was computed again and holds, whose cost is the provider's own bill, and those without any. */
  readonly recomputed: number;
  readonly reported: number;
  readonly withoutCost: number;
  /** Rows of erased persons: the rows hold, and what their labels say cannot be held against its hash any more. */
  readonly erased: number;
  /** The first few, oldest first in each chain. */
  readonly faults: readonly LedgerFault[];
  readonly faultCount: number;
}

const PAGE_FRAMES = 16;
const MOST_FAULTS = 20;
const MOST_REMEMBERED = 50_000;

/** Walks every chain from its anchor to its head and computes hashes and costs again. Memory holds one page of frames. */
export async function verifyLedger(database: Database, recompute: Recompute): Promise<Verification> {
  const walk = new Walk(database, recompute);
  const chains = await database.query.selectFrom('ledger_chains').selectAll().orderBy('chain').execute();
  for (const chain of chains) await walk.chain(chain);
  return walk.result(chains.length);
}

/** `erased`: it does not fit its name, and says that this is why. */
type Held = 'holds' | 'erased';

function judged(fits: boolean, isErased: boolean): Held | undefined {
  if (fits) return 'holds';
  return isErased ? 'erased' : undefined;
}

interface CheckedLabels {
  readonly labels: LedgerLabelsTable;
  readonly erased: boolean;
}

interface Chain {
  readonly gateway: string;
  readonly chain: number;
  readonly anchor_seq: number;
  readonly anchor_hash: string;
}

class Walk {
  readonly #database: Database;
  readonly #recompute: Recompute;
  readonly #rates = new Map<string, string | undefined>();
  #labels = new Map<string, CheckedLabels | undefined>();
  readonly #faults: LedgerFault[] = [];
  #faultCount = 0;
  #rows = 0;
  #recomputed = 0;
  #reported = 0;
  #withoutCost = 0;
  #erased = 0;

  constructor(database: Database, recompute: Recompute) {
    this.#database = database;
    this.#recompute = recompute;
  }

  result(chains: number): Verification {
    return {
      chains,
      rows: this.#rows,
      recomputed: this.#recomputed,
      reported: this.#reported,
      withoutCost: this.#withoutCost,
      erased: this.#erased,
      faults: this.#faults,
      faultCount: this.#faultCount,
    };
  }

  async chain(chain: Chain): Promise<void> {
    let seq = chain.anchor_seq;
    let hash = chain.anchor_hash;
    for (;;) {
      const frames = await this.#page(chain.chain, seq);
      for (const frame of frames) {
        const at = seqOf(frame.position);
        if (at !== seq + 1) ({ seq, hash } = await this.#afterGap(chain, seq, hash, at));
        if (at !== seq + 1) this.#fault(chain, at, undefined, `${at - seq - 1} rows before it are missing`);
        else if (hashOf(hash, chain.chain, frame) !== frame.hash)
          this.#fault(
            chain,
            at,
            undefined,
            `it, or one of the ${frame.row_count} rows of its frame, was changed: its hash does not hold`,
          );
        // From what stands there: a changed frame is one fault, and not one of every frame behind it.
        seq = at + frame.row_count - 1;
        hash = frame.hash;
        await this.#frame(chain, frame);
      }
      if (frames.length < PAGE_FRAMES) break;
    }
    const head = await this.#database.query
      .selectFrom('ledger_chains')
      .select(['head_seq', 'head_hash'])
      .where('gateway', '=', chain.gateway)
      .executeTakeFirstOrThrow();
    // The gateway may write on while this reads, so the head may only be ahead of what was seen by frames that are there.
    if (head.head_seq > seq && (await this.#page(chain.chain, seq)).length === 0) {
      this.#fault(chain, head.head_seq, undefined, `the newest ${head.head_seq - seq} rows are missing`);
    } else if (head.head_seq === seq && head.head_hash !== hash) {
      this.#fault(chain, seq, undefined, 'the newest row is not the one that was written');
    }
  }

  /** Retention may have taken frames away since the anchor was read. */
  async #afterGap({ gateway }: Chain, seq: number, hash: string, at: number): Promise<{ seq: number; hash: string }> {
    const now = await this.#database.query
      .selectFrom('ledger_chains')
      .select(['anchor_seq', 'anchor_hash'])
      .where('gateway', '=', gateway)
      .executeTakeFirst();
    return now?.anchor_seq === at - 1 ? { seq: now.anchor_seq, hash: now.anchor_hash } : { seq, hash };
  }

  #page(chain: number, afterSeq: number): Promise<LedgerFramesTable[]> {
    return this.#database.query
      .selectFrom('ledger_frames')
      .selectAll()
      .where('position', '>', chainPosition(chain, afterSeq))
      .where('position', '<', chainPosition(chain + 1, 0))
      .orderBy('position')
      .limit(PAGE_FRAMES)
      .execute();
  }

  async #frame(chain: Chain, frame: LedgerFramesTable): Promise<void> {
    const first = seqOf(frame.position);
    let rows: LedgerRow[];
    try {
      rows = readFrameRows(frame.data);
    } catch {
      // That its hash does not hold was told, or it is of a later version.
      this.#fault(chain, first, undefined, 'its frame cannot be read by this version');
      return;
    }
    if (rows.length !== frame.row_count)
      this.#fault(chain, first, undefined, `its frame has ${rows.length} rows and says ${frame.row_count}`);
    for (const [index, row] of rows.entries()) await this.#row(chain, first + index, row);
    if (!(await this.#isIndexed(frame.position, rows)))
      this.#fault(chain, first, undefined, 'the index of the ids of its frame was changed');
  }

  async #isIndexed(position: number, rows: readonly LedgerRow[]): Promise<boolean> {
    const stored = await this.#database.query
      .selectFrom('ledger_ids')
      .select(['block', 'rests'])
      .where('position', '=', position)
      .execute();
    const said = new Map(stored.map(({ block, rests }) => [block, rests]));
    const expected = blocksOf(rows.map(({ id }) => id));
    return said.size === expected.length && expected.every(({ block, rests }) => said.get(block) === rests);
  }

  async #row(chain: Chain, seq: number, row: LedgerRow): Promise<void> {
    this.#rows += 1;
    const fault = (reason: string) => this.#fault(chain, seq, row.id, reason);
    const checked = await this.#labelsOf(row.labels);
    if (checked === undefined) {
      fault(`what its labels ${row.labels} say was changed or is missing`);
      return;
    }
    const { labels, erased } = checked;
    if (erased) this.#erased += 1;
    if (row.cost_nano_usd === undefined) {
      this.#withoutCost += 1;
      return;
    }
    const ofAnswer = await this.#cost(row, labels.price_table);
    const expected = typeof ofAnswer === 'number' ? ofAnswer + costOfHedges(row) : ofAnswer;
    if (typeof expected === 'string') fault(expected);
    else if (expected !== row.cost_nano_usd)
      fault(`its cost is ${row.cost_nano_usd} nano-dollars, by its price table ${expected ?? 'unknown'}`);
    else if (labels.price_table === REPORTED) this.#reported += 1;
    else this.#recomputed += 1;
  }

  /** A text: why it cannot be computed. */
  async #cost(row: LedgerRow, table: string | null): Promise<number | undefined | string> {
    if (table === null) return 'it has a cost and no price table';
    if (table === REPORTED) return Math.round((row.numbers.provider_cost_usd ?? Number.NaN) * 1e9);
    const rates = await this.#ratesOf(table);
    if (rates === undefined) return `its price table ${table} was changed or is missing`;
    try {
      return this.#recompute(rates, usageOfRow(row, readDetail(row.detail)));
    } catch {
      // A table that keeps its hash was written so: by a version whose form this one does not know.
      return `its price table ${table} is of an unknown form`;
    }
  }

  /** Undefined: they, or their series, are not what their hash says. */
  async #labelsOf(name: string): Promise<CheckedLabels | undefined> {
    if (this.#labels.has(name)) return this.#labels.get(name);
    const found = await this.#database.query
      .selectFrom('ledger_labels')
      .selectAll()
      .where('labels', '=', name)
      .executeTakeFirst();
    if (this.#labels.size > MOST_REMEMBERED) this.#labels = new Map();
    const checked = found && (await this.#checked(found, name));
    this.#labels.set(name, checked);
    return checked;
  }

  async #checked(labels: LedgerLabelsTable, name: string): Promise<CheckedLabels | undefined> {
    const own = judged(labelsHash(labels) === name, isErasedLabels(labels));
    const series = await this.#seriesOf(labels.series);
    if (own === undefined || series === undefined) return undefined;
    return { labels, erased: own === 'erased' || series === 'erased' };
  }

  async #seriesOf(name: string): Promise<Held | undefined> {
    const found = await this.#database.query
      .selectFrom('ledger_series')
      .selectAll()
      .where('series', '=', name)
      .executeTakeFirst();
    return found && judged(seriesHash(found) === name, isErasedSeries(found));
  }

  async #ratesOf(hash: string): Promise<string | undefined> {
    if (!this.#rates.has(hash)) {
      const found = await this.#database.query
        .selectFrom('price_tables')
        .select('rates')
        .where('hash', '=', hash)
        .executeTakeFirst();
      this.#rates.set(hash, found && contentHash(found.rates) === hash ? found.rates : undefined);
    }
    return this.#rates.get(hash);
  }

  #fault({ gateway }: Chain, seq: number, id: string | undefined, reason: string): void {
    this.#faultCount += 1;
    if (this.#faults.length < MOST_FAULTS) this.#faults.push({ gateway, seq, id, reason });
  }
}

function hashOf(previous: string, chain: number, frame: LedgerFramesTable): string {
  const { position, row_count: rows, ended_from: endedFrom, ended_to: endedTo, data } = frame;
  return frameHash(previous, { chain, seq: seqOf(position), rows, endedFrom, endedTo, data });
}

const hedge = z.object({ nano_usd: z.number() });

/** Attempts beside the one that answered have their cost with them. */
function costOfHedges({ detail }: LedgerRow): number {
  const hops = readDetail(detail).failed_attempts ?? [];
  return hops.reduce<number>((sum, hop) => sum + (hedge.safeParse(hop).data?.nano_usd ?? 0), 0);
}
