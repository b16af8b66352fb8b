/** The table for people and the JSON for scripts. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Figure, ScenarioResult } from './rounds.ts';
import type { Settings } from './settings.ts';

const RESULTS = fileURLToPath(new URL('results', import.meta.url));

export type Report = { scenarios: ScenarioResult[]; goals: GoalRow[]; notes: string[] };

type Verdict = 'met' | 'not met' | 'void';

export type GoalRow = {
  goal: string;
  measured: Figure;
  digits: number;
  bound: '≤' | '≥';
  target: number;
  landing: number;
  goalVerdict: Verdict;
  landingVerdict: Verdict;
};

export function renderScenario(result: ScenarioResult): string {
  const rows = result.subjects.map((subject) => [
    subject.subject,
    ...result.columns.map(({ key, digits }) => formatFigure(subject.figures[key], digits)),
  ]);
  const table = renderTable(['', ...result.columns.map((column) => column.title)], rows);
  const remarks = result.subjects.flatMap(({ subject, voids, notes }) => [
    ...voids.map((reason) => `  ${subject}: void in ${reason}`),
    ...notes.map((note) => `  ${subject}: ${note}`),
  ]);
  return [`${result.scenario} (median of ${result.rounds})`, table, ...remarks].join('\n');
}

/** '–': there is no such figure for this subject. */
export function formatFigure(figure: Figure | undefined, digits: number): string {
  if (typeof figure === 'number') return formatNumber(figure, digits);
  return figure ?? '–';
}

export function renderGoals(rows: GoalRow[]): string {
  const lines = rows.map(({ goal, measured, digits, bound, target, landing, goalVerdict, landingVerdict }) => [
    goal,
    formatFigure(measured, digits),
    `${bound} ${formatNumber(target, digits)}`,
    goalVerdict,
    `${bound} ${formatNumber(landing, digits)}`,
    landingVerdict,
  ]);
  return renderTable(['Sluice', 'measured', 'goal', '', 'first landing', ''], lines);
}

function formatNumber(value: number, digits: number): string {
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** First column to the left, the others to the right. */
export function renderTable(head: string[], rows: string[][]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)));
  const line = (row: string[]): string =>
    row
      .map((text, column) => (column === 0 ? text.padEnd(widths[column]!) : text.padStart(widths[column]!)))
      .join('  ');
  return [line(head), widths.map((width) => '─'.repeat(width)).join('──'), ...rows.map(line)]
    .map((text) => `  ${text.trimEnd()}`)
    .join('\n');
}

/** A figure is a number, "void" or null; its unit stands in its key. */
export function writeJson(file: string | undefined, name: string, settings: Settings, report: Report): string {
  const at = new Date();
  const path = file ?? join(RESULTS, `${name}-${at.toISOString().slice(0, 19).replaceAll(':', '')}.json`);
  mkdirSync(dirname(path), { recursive: true });
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, kernel: release(), node: process.version };
  writeFileSync(path, `${JSON.stringify({ name, at, machine, settings, ...report }, null, 2)}\n`);
  return path;
}
