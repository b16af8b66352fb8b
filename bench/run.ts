/** `npm run bench`: see README.md for how to read what it prints. */
import { fileURLToPath } from 'node:url';
import { type CompareCommand, readCommand, USAGE } from './command.ts';
import { compare } from './compare/compare.ts';
import { renderComparison } from './compare/render-comparison.ts';
import { measureInChild, NotMeasured } from './harness/child.ts';
import { findSubjects, UsageError } from './harness/find-subjects.ts';
import type { MeasureOptions } from './harness/measure.ts';
import { type Outcome, renderOutcome, writeResults } from './harness/report.ts';

const folder = fileURLToPath(new URL('.', import.meta.url));
const root = fileURLToPath(new URL('..', import.meta.url));
const results = fileURLToPath(new URL('results', import.meta.url));

/** A signal ends the child that is measuring, and then everything unwinds: worktrees are taken away. */
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort(new Error(signal)));

/** Standard error tells how far it is; standard output holds the tables only. */
function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}

async function measureAll(subjects: readonly string[], options: MeasureOptions): Promise<void> {
  const outcomes: Outcome[] = [];
  for (const subject of subjects) {
    const outcome = await measureInChild(root, subject, options, stop.signal);
    outcomes.push(outcome);
    process.stdout.write(`\n${renderOutcome(subject, outcome)}\n`);
    if (outcome instanceof NotMeasured) process.exitCode = 1;
  }
  const name = subjects.length === 1 ? subjects[0]! : 'bench';
  tell(`\nwritten to ${writeResults(results, name, { options, subjects: outcomes })}`);
}

async function compareBoth({ revisions, subjects, rounds, options }: CompareCommand): Promise<void> {
  const comparison = await compare({ root, revisions, subjects, rounds, options, signal: stop.signal, tell });
  process.stdout.write(`\n${renderComparison(comparison)}\n`);
  tell(`\nwritten to ${writeResults(results, 'compare', { rounds, options, ...comparison })}`);
  if (comparison.subjects.some((each) => each.notMeasured !== undefined)) process.exitCode = 1;
}

try {
  const known = findSubjects(folder);
  const command = readCommand(process.argv.slice(2), known);
  if (command.kind === 'list') process.stdout.write(`${known.join('\n')}\n`);
  else if (command.kind === 'run') await measureAll(command.subjects, command.options);
  else await compareBoth(command);
} catch (error) {
  if (stop.signal.aborted) process.exitCode = 130;
  else if (error instanceof UsageError) {
    tell(`${error.message}\n\n${USAGE}`);
    process.exitCode = 2;
  } else throw error;
}
