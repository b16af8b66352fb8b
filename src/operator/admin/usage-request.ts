import { TIME_SPAN_FORM, timeSpanMs } from '../../identity/time-span.ts';
import { USAGE_DIMENSIONS, type UsageDimension } from '../../ledger/usage-groups.ts';
import type { UsageQuery } from '../../ledger/usage-report.ts';

/** As it is typed: on the command line or behind `?`. */
export interface WrittenUsageQuery {
  /** Comma separated. */
  readonly by?: string;
  /** A span before now, or a date or time (ISO 8601, UTC where it says nothing). */
  readonly since?: string;
  readonly until?: string;
}

export interface UsageQueryFault {
  readonly parameter: string;
  readonly detail: string;
}

const DEFAULT_SPAN_MS = 7 * 86_400_000;
const MOST_DIMENSIONS = 4;
const TIME = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})?)?$/;

export function readUsageQuery(written: WrittenUsageQuery, nowMs: number): UsageQuery | UsageQueryFault {
  const by = (written.by ?? '')
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');
  if (by.length > MOST_DIMENSIONS) return { parameter: 'by', detail: `At most ${MOST_DIMENSIONS} at once.` };
  const known: UsageDimension[] = [];
  for (const each of by) {
    if (!isDimension(each))
      return { parameter: 'by', detail: `\`${each}\` is none of ${USAGE_DIMENSIONS.join(', ')}, metadata.KEY.` };
    known.push(each);
  }
  const span = readSpan(written, nowMs - DEFAULT_SPAN_MS, nowMs);
  return 'parameter' in span ? span : { by: known, ...span };
}

/** `fromMs`: the beginning where nothing says it. */
export function readSpan(
  written: Pick<WrittenUsageQuery, 'since' | 'until'>,
  fromMs: number,
  nowMs: number,
): Pick<UsageQuery, 'sinceMs' | 'untilMs'> | UsageQueryFault {
  const sinceMs = written.since === undefined ? fromMs : momentMs(written.since, nowMs);
  if (sinceMs === undefined) return { parameter: 'since', detail: timeForm };
  const untilMs = written.until === undefined ? nowMs : momentMs(written.until, nowMs);
  if (untilMs === undefined) return { parameter: 'until', detail: timeForm };
  if (untilMs <= sinceMs) return { parameter: 'until', detail: 'It is not after `since`.' };
  return { sinceMs, untilMs };
}

const timeForm = `Allowed are ${TIME_SPAN_FORM} (before now), or a date or time as 2026-11-22 or 2026-11-22T10:00Z.`;

function isDimension(text: string): text is UsageDimension {
  return USAGE_DIMENSIONS.some((each) => each === text) || /^metadata\..{1,128}$/.test(text);
}

function momentMs(text: string, nowMs: number): number | undefined {
  const span = timeSpanMs(text);
  if (span !== undefined) return nowMs - span;
  if (!TIME.test(text)) return undefined;
  const ms = Date.parse(/T/.test(text) && !/(Z|[+-]\d{2}:\d{2})$/.test(text) ? `${text}Z` : text);
  return Number.isNaN(ms) || !existsDay(text.slice(0, 10)) ? undefined : ms;
}

/** The 30th of February would silently be the 2nd of March. */
function existsDay(day: string): boolean {
  return new Date(Date.parse(day)).toISOString().startsWith(day);
}
