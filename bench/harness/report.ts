/** The table for people and the JSON for scripts. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { NotMeasured } from './child.ts';
import type { SubjectMeasurement } from './measurement.ts';

export type Outcome = SubjectMeasurement | NotMeasured;

export function renderOutcome(subject: string, outcome: Outcome): string {
  if (outcome instanceof NotMeasured) return `${subject}\n  not measured: ${outcome.reason}`;
  const rows = outcome.tasks.map((task) => [
    task.name,
    grouped(task.medianNs),
    `±${task.marginPercent.toFixed(1)}%`,
    grouped(task.p99Ns),
    grouped(1e9 / task.medianNs),
    task.bytes === undefined ? '' : grouped((task.bytes * 1e3) / task.medianNs),
    grouped(task.heapBytes),
  ]);
  return renderTable([subject, 'ns/op', '', 'p99', 'op/s', 'MB/s', 'heap B/op'], rows);
}

/** Three digits that mean something, in groups of thousands. */
export function grouped(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const digits = value !== 0 && Math.abs(value) < 100 ? (Math.abs(value) < 10 ? 2 : 1) : 0;
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** First column to the left, the others to the right. */
export function renderTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)));
  const line = (row: readonly string[]): string =>
    row
      .map((text, column) => (column === 0 ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd();
  return [line(head), ...rows.map((row) => `  ${line(row)}`)].join('\n').replace(/^/, '  ');
}

/** Where the file went. Figures that could not be had are null; the unit stands in the key. */
export function writeResults(folder: string, name: string, content: object): string {
  mkdirSync(folder, { recursive: true });
  const at = new Date();
  const path = join(folder, `${name.replaceAll('/', '-')}-${at.toISOString().slice(0, 19).replaceAll(':', '')}.json`);
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, kernel: release(), node: process.version };
  writeFileSync(path, `${JSON.stringify({ name, at, machine, ...content }, null, 2)}\n`);
  return path;
}
