import { grouped, renderTable } from '../harness/report.ts';
import type { Comparison, SubjectComparison } from './compare.ts';

export function renderComparison(comparison: Comparison): string {
  const [a, b] = comparison.revisions;
  const legend = `A: ${a}\nB: ${b}\nB/A below 1: B is faster; in brackets the least and the most of all rounds`;
  return [legend, ...comparison.subjects.map(renderSubject)].join('\n\n');
}

function renderSubject({ subject, tasks, notMeasured }: SubjectComparison): string {
  if (notMeasured !== undefined) return `  ${subject}\n    not measured ${notMeasured}`;
  const rows = tasks.map(({ name, nsA, nsB, heapBytesA, heapBytesB, ratio }) => [
    name,
    grouped(nsA),
    grouped(nsB),
    `${ratio.median.toFixed(3)} (${ratio.least.toFixed(2)}–${ratio.most.toFixed(2)})`,
    ratio.verdict,
    grouped(heapBytesA),
    grouped(heapBytesB),
  ]);
  return renderTable([subject, 'A ns/op', 'B ns/op', 'B/A', '', 'A heap B/op', 'B heap B/op'], rows);
}
