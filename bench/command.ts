import { parseArgs } from 'node:util';
import { chooseSubjects, UsageError } from './harness/find-subjects.ts';
import { DEFAULT_OPTIONS, type MeasureOptions } from './harness/measure.ts';

export type Command =
  | { readonly kind: 'list' }
  | { readonly kind: 'run'; readonly subjects: readonly string[]; readonly options: MeasureOptions }
  | CompareCommand;

export interface CompareCommand {
  readonly kind: 'compare';
  /** `.`: the working tree as it is. */
  readonly revisions: readonly [a: string, b: string];
  readonly subjects: readonly string[];
  readonly rounds: number;
  readonly options: MeasureOptions;
}

export const USAGE = `npm run bench                                    all subjects
npm run bench -- NAME…                           some: codec/json-peek, json-peek, or a folder: codec
npm run bench -- list                            their names
npm run bench -- compare REV_A REV_B [NAME…]     two commits, interleaved; "." is the working tree
  --time-ms N     per task (${DEFAULT_OPTIONS.timeMs}; compare: per task and round)
  --rounds N      of compare (6)
`;

/** A round of compare is short, so that both sides meet the same weather; there are many of them. */
const ROUND: MeasureOptions = { warmUpMs: 200, timeMs: 300 };
/** Fewer than six rounds that agree by chance are no news: twice one half to the sixth is 3%. */
const ROUNDS = 6;
const MOST_ROUNDS = 100;

export function readCommand(args: readonly string[], known: readonly string[]): Command {
  const { values, positionals } = parsed(args);
  const [first, ...rest] = positionals;
  const timeMs = wholeNumber('time-ms', values['time-ms'], 1, 60_000);
  if (first === 'compare') {
    const [a, b, ...names] = rest;
    if (a === undefined || b === undefined)
      throw new UsageError('compare needs two revisions; "." is the working tree');
    const rounds = wholeNumber('rounds', values.rounds, 2, MOST_ROUNDS) ?? ROUNDS;
    const options = timeMs === undefined ? ROUND : { ...ROUND, timeMs };
    return { kind: 'compare', revisions: [a, b], subjects: chooseSubjects(known, names), rounds, options };
  }
  if (values.rounds !== undefined) throw new UsageError('--rounds is for compare');
  if (first === 'list') {
    if (rest.length > 0) throw new UsageError('list takes no names');
    return { kind: 'list' };
  }
  const options = timeMs === undefined ? DEFAULT_OPTIONS : { ...DEFAULT_OPTIONS, timeMs };
  return { kind: 'run', subjects: chooseSubjects(known, positionals), options };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { 'time-ms': { type: 'string' }, rounds: { type: 'string' } },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function wholeNumber(name: string, text: string | undefined, least: number, most: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new UsageError(`--${name} must be a whole number from ${least} to ${most}, not "${text}"`);
}
