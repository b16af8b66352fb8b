import { stringify } from 'csv-stringify/sync';
import type { ExportedRow } from '../../ledger/export-rows.ts';

/** One JSON object a line, without the last line end. */
export function exportJsonl(rows: readonly ExportedRow[]): string {
  return rows.map((row) => JSON.stringify(row)).join('\n');
}

/** Lists and maps as JSON; without the last line end. */
export function exportCsv(rows: readonly ExportedRow[], withHeading: 'heading' | 'no heading'): string {
  const [first = {}] = rows;
  const lines = rows.map((row) => Object.values(row).map(cellOf));
  // What begins like a formula would be one where the file is opened: names come from clients.
  const all = withHeading === 'heading' ? [Object.keys(first), ...lines] : lines;
  return stringify(all, { escape_formulas: true }).trimEnd();
}

function cellOf(value: unknown): string | number {
  if (value === null) return '';
  if (typeof value === 'number' || typeof value === 'string') return value;
  return JSON.stringify(value);
}
