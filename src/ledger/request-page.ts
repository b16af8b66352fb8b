import { z } from 'zod';
import type { Database } from '../store/database.ts';
import { type LedgerRow, openFrame } from '../store/ledger-frame.ts';
import type { LedgerFramesTable } from '../store/tables/ledger-tables.ts';
import { chainOf, seqOf } from './chain-position.ts';
import { type ExportedRow, exportedRow, LabelReader, type RowLabels } from './export-rows.ts';
import { readDetail } from './read-row.ts';

/** Which exchanges are wanted: all that is given must hold. */
export interface RequestFilter {
  /** When they ended: from `sinceMs` on and before `untilMs`; milliseconds since the Unix epoch. */
  readonly sinceMs: number;
  readonly untilMs: number;
  /** Whether a status is one of those wanted; absent: every one is. */
  readonly status?: (status: number) => boolean;
  /** The same of what an exchange is counted by; asked once for exchanges that are alike. */
  readonly labels?: (labels: RowLabels) => boolean;
  /** Whether a guard is wanted that did not just let an exchange pass; absent: guards are not asked for. */
  readonly guardrail?: (name: string) => boolean;
}

export interface RequestPage {
  /** Newest first: by their ends, then by their ids. */
  readonly rows: readonly ExportedRow[];
  /** Where the next page goes on; undefined: there is nothing older. A page may be short, or empty, and have a next one. */
  readonly next: string | undefined;
}

/** The exchange that was told last: those behind it ended earlier, or at the same millisecond with a smaller id. */
export interface RequestCursor {
  readonly endedAt: number;
  readonly id: string;
}

const guardResults = z.array(z.object({ guardrail: z.string(), result: z.string() }));

/** Larger than any id: what ended at that millisecond is still to be told. */
const ANY_ID = '~';
const FRAMES_PER_QUERY = 8;
/** A page looks at so many frames, for so long, at the most: a filter that nothing meets holds up neither ledger nor reader. */
const MAX_FRAMES = 256;
const MAX_WORK_MS = 35;
/** With what others do meanwhile. */
const MAX_MS = 2_000;

interface Found {
  readonly row: LedgerRow;
  readonly position: number;
  readonly index: number;
}

type Frame = Pick<LedgerFramesTable, 'position' | 'ended_to' | 'data'>;

/** One page of exchanges, over all gateways. Memory holds some frames, and the rows of those that overlap in time. */
export async function pageOfRequests(
  database: Database,
  filter: RequestFilter,
  after: RequestCursor | undefined,
  limit: number,
): Promise<RequestPage> {
  const reader = new LabelReader(database);
  const stopAt = performance.now() + MAX_MS;
  const untilMs = after === undefined ? filter.untilMs : Math.min(filter.untilMs, after.endedAt + 1);
  let found: Found[] = [];
  let seen = 0;
  let workMs = 0;
  let last: Frame | undefined;
  for (;;) {
    let beganAt = performance.now();
    const frames = await framesBefore(database, filter.sinceMs, untilMs, last);
    workMs += performance.now() - beganAt;
    for (const frame of frames) {
      // No frame from here on has an exchange that ended later.
      const sure = sureOf(found, frame.ended_to);
      if (sure >= limit) return pageOf(found.slice(0, limit), cursorBehind(found[limit - 1]!), reader);
      const isAhead = after === undefined || frame.ended_to < after.endedAt;
      if (isAhead && (seen >= MAX_FRAMES || workMs > MAX_WORK_MS || performance.now() > stopAt)) {
        return pageOf(found.slice(0, sure), { endedAt: frame.ended_to, id: ANY_ID }, reader);
      }
      seen += 1;
      // A few milliseconds at a time: the ledger is written by the same thread.
      await new Promise((resolve) => setImmediate(resolve));
      beganAt = performance.now();
      found = found.concat(await wanted(frame, filter, untilMs, after, reader)).sort(newestFirst);
      workMs += performance.now() - beganAt;
    }
    last = frames.at(-1);
    if (frames.length < FRAMES_PER_QUERY || last === undefined) break;
  }
  return pageOf(found.slice(0, limit), found.length > limit ? cursorBehind(found[limit - 1]!) : undefined, reader);
}

async function pageOf(
  told: readonly Found[],
  next: RequestCursor | undefined,
  reader: LabelReader,
): Promise<RequestPage> {
  const labels = await reader.of(told.map(({ row }) => row.labels));
  const gateways = await reader.gateways();
  const rows = told.map(({ row, position, index }) =>
    exportedRow(row, labels.get(row.labels), {
      gateway: gateways.get(chainOf(position)) ?? '',
      seq: seqOf(position) + index,
    }),
  );
  return { rows, next: next && writtenCursor(next) };
}

function cursorBehind({ row }: Found): RequestCursor {
  return { endedAt: row.ended_at, id: row.id };
}

async function wanted(
  { position, data }: Frame,
  filter: RequestFilter,
  untilMs: number,
  after: RequestCursor | undefined,
  reader: LabelReader,
): Promise<Found[]> {
  const frame = openFrame(data);
  const labels = await wantedLabels(frame.labels, filter, reader);
  if (labels?.size === 0) return [];
  return frame
    .rows()
    .map((row, index) => ({ row, position, index }))
    .filter(({ row }) => row.ended_at >= filter.sinceMs && row.ended_at < untilMs)
    .filter(({ row }) => after === undefined || row.ended_at < after.endedAt || row.id < after.id)
    .filter(({ row }) => filter.status?.(row.status) ?? true)
    .filter(({ row }) => labels?.has(row.labels) ?? true)
    .filter(({ row }) => filter.guardrail === undefined || isGuarded(row, filter.guardrail));
}

/** Undefined: nothing is asked of them. */
async function wantedLabels(
  names: readonly string[],
  { labels: wants }: RequestFilter,
  reader: LabelReader,
): Promise<ReadonlySet<string> | undefined> {
  if (wants === undefined) return undefined;
  const known = await reader.of(names);
  return new Set(
    names.filter((name) => {
      const labels = known.get(name);
      return labels !== undefined && wants(labels);
    }),
  );
}

function isGuarded({ detail }: LedgerRow, wants: (name: string) => boolean): boolean {
  // Most rows have no guard: they are told apart without parsing.
  if (detail === undefined || !detail.includes('"guardrails"')) return false;
  const results = guardResults.safeParse(readDetail(detail).guardrails);
  return results.success && results.data.some(({ guardrail, result }) => result !== 'passed' && wants(guardrail));
}

/** How many of them ended later than anything that is not read yet can have. */
function sureOf(found: readonly Found[], endedTo: number): number {
  const at = found.findIndex(({ row }) => row.ended_at <= endedTo);
  return at === -1 ? found.length : at;
}

function newestFirst({ row: one }: Found, { row: other }: Found): number {
  return other.ended_at - one.ended_at || (one.id < other.id ? 1 : -1);
}

/** The next frames that may have one, by the end of their newest exchange. */
function framesBefore(database: Database, sinceMs: number, untilMs: number, last: Frame | undefined): Promise<Frame[]> {
  let query = database.query
    .selectFrom('ledger_frames')
    .select(['position', 'ended_to', 'data'])
    .where('ended_to', '>=', sinceMs)
    .where('ended_from', '<', untilMs);
  if (last !== undefined) {
    query = query
      .where('ended_to', '<=', last.ended_to)
      .where(({ or, eb }) => or([eb('ended_to', '<', last.ended_to), eb('position', '<', last.position)]));
  }
  return query.orderBy('ended_to', 'desc').orderBy('position', 'desc').limit(FRAMES_PER_QUERY).execute();
}

function writtenCursor({ endedAt, id }: RequestCursor): string {
  return Buffer.from(`${endedAt}.${id}`).toString('base64url');
}

/** Undefined: it is none of ours. */
export function readCursor(written: string): RequestCursor | undefined {
  const [, endedAt, id] = /^(\d{1,15})\.([\w~-]{1,64})$/.exec(Buffer.from(written, 'base64url').toString()) ?? [];
  return endedAt === undefined || id === undefined ? undefined : { endedAt: Number(endedAt), id };
}
