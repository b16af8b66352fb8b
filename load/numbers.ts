/** The table of docs/numbers.md, in Markdown: subjects in rows, held against the bare relay of the same run. */
import type { Subject } from './peers/peer.ts';
import { formatFigure } from './report.ts';
import type { Figure, ScenarioResult } from './rounds.ts';

type Cell = { scenario: string; key: string; digits: number };

const cell = (scenario: string, key: string, digits: number): Cell => ({ scenario, key, digits });

/** Two figures share a column, as one in brackets or behind a slash. */
const COLUMNS: { title: string; cells: Cell[]; write(...figures: string[]): string }[] = [
  {
    title: 'whole answer, CPU µs (× bare)',
    cells: [cell('chat-whole', 'cpuPerRequestUs', 1), cell('chat-whole', 'vsBare', 2)],
    write: (us, ratio) => `${us} (${ratio})`,
  },
  { title: 'burst of 100 events, × bare', cells: [cell('chat-burst', 'vsBare', 2)], write: (ratio = '') => ratio },
  { title: 'paced events, × bare', cells: [cell('chat-paced', 'vsBare', 2)], write: (ratio = '') => ratio },
  {
    title: 'added at one connection, p50 / p99 µs',
    cells: [cell('added-latency', 'addedP50Us', 0), cell('added-latency', 'addedP99Us', 0)],
    write: (p50, p99) => `${p50} / ${p99}`,
  },
  { title: 'idle MB', cells: [cell('idle-memory', 'rssMb', 0)], write: (mb = '') => mb },
  { title: 'KB a stream', cells: [cell('many-streams', 'rssPerStreamKb', 0)], write: (kb = '') => kb },
];

export const NUMBERS_SUBJECTS = ['direct', 'nginx', 'bare', 'sluice-lean', 'sluice'];

export function renderNumbers(results: readonly ScenarioResult[], subjects: readonly Subject[]): string {
  const figure = ({ scenario, key }: Cell, name: string): Figure | undefined =>
    results.find((one) => one.scenario === scenario)?.subjects.find((one) => one.subject === name)?.figures[key];
  const rows = subjects
    .filter(({ pid }) => pid !== undefined)
    .map(({ name }) =>
      COLUMNS.map(({ cells, write }) => write(...cells.map((each) => formatFigure(figure(each, name), each.digits)))),
    );
  const named = subjects.filter(({ pid }) => pid !== undefined).map(({ name }) => name);
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [
    line(['', ...COLUMNS.map(({ title }) => title)]),
    line(['', ...COLUMNS].map(() => '---')),
    ...rows.map((row, index) => line([named[index]!, ...row])),
  ].join('\n');
}
