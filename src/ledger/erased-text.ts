import { randomBytes } from 'node:crypto';
import type { LedgerLabelsTable, LedgerSeriesTable } from '../store/tables/ledger-tables.ts';

/*
 * What stands in the ledger where a person's data was. The rows name what is kept once (series, labels) by the hash of its
 * old content, which stays, so the chain of rows holds; what was replaced no longer fits its name, and these words say why.
 */

const ERASED = /^(?:(?:user|virtualaccount):)?erased-[0-9a-f]{16}$/;

/** Another one for each text that is erased, so that sums of one person stay sums of one. */
export function erasedText(): string {
  return `erased-${randomBytes(8).toString('hex')}`;
}

/** Whether these labels do not fit their name because a person was erased from them. */
export function isErasedSeries({ subject, metadata }: LedgerSeriesTable): boolean {
  return isErased(subject) || textsIn(metadata).some(isErased);
}

export function isErasedLabels({ charges }: Pick<LedgerLabelsTable, 'charges'>): boolean {
  return textsIn(charges).some(isErased);
}

function isErased(text: string | null): boolean {
  return text !== null && ERASED.test(text);
}

/** Every text in a JSON value, and in texts that are JSON arrays themselves: groups of several keys. */
function textsIn(json: string | null): string[] {
  const found: string[] = [];
  replaceTexts(json, (text) => {
    found.push(text);
    return text;
  });
  return found;
}

/** The same JSON with every text replaced; what is no JSON is given to `replace` as it is. */
export function replaceTexts(json: string | null, replace: (text: string) => string): string | null {
  if (json === null) return null;
  const parsed = parse(json);
  return parsed === undefined ? replace(json) : JSON.stringify(replaced(parsed, replace));
}

function replaced(value: unknown, replace: (text: string) => string): unknown {
  if (typeof value === 'string') return value.startsWith('[') ? replaceTexts(value, replace) : replace(value);
  if (Array.isArray(value)) return value.map((each) => replaced(each, replace));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, replaced(each, replace)]));
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    // A group of one key is a plain text.
    return undefined;
  }
}
