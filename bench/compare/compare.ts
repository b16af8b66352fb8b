import { measureInChild, NotMeasured } from '../harness/child.ts';
import type { MeasureOptions } from '../harness/measure.ts';
import type { SubjectMeasurement } from '../harness/measurement.ts';
import { median } from '../harness/median.ts';
import { type Ratio, ratioOf } from './ratio.ts';
import { openRevision } from './revision-tree.ts';

export interface CompareOptions {
  /** The root of the repository; its `bench/` measures both sides. */
  readonly root: string;
  readonly revisions: readonly [a: string, b: string];
  readonly subjects: readonly string[];
  readonly rounds: number;
  readonly options: MeasureOptions;
  readonly signal?: AbortSignal;
  tell(line: string): void;
}

export interface Comparison {
  readonly revisions: readonly [a: string, b: string];
  readonly subjects: readonly SubjectComparison[];
}

export interface SubjectComparison {
  readonly subject: string;
  readonly tasks: readonly TaskComparison[];
  /** Why there are no figures. */
  readonly notMeasured: string | undefined;
}

export interface TaskComparison {
  readonly name: string;
  readonly nsA: number;
  readonly nsB: number;
  readonly heapBytesA: number;
  readonly heapBytesB: number;
  readonly ratio: Ratio;
}

/** Measures the subjects in both revisions, round by round, in turn: A B, B A, A B … */
export async function compare(options: CompareOptions): Promise<Comparison> {
  const a = await openRevision(options.root, options.revisions[0]);
  try {
    const b = await openRevision(options.root, options.revisions[1]);
    try {
      const subjects: SubjectComparison[] = [];
      for (const subject of options.subjects) subjects.push(await compareSubject(subject, a.root, b.root, options));
      return { revisions: [a.revision, b.revision], subjects };
    } finally {
      await b.close();
    }
  } finally {
    await a.close();
  }
}

async function compareSubject(
  subject: string,
  rootA: string,
  rootB: string,
  { rounds, options, signal, tell }: CompareOptions,
): Promise<SubjectComparison> {
  const ofA: SubjectMeasurement[] = [];
  const ofB: SubjectMeasurement[] = [];
  for (let round = 0; round < rounds; round += 1) {
    tell(`${subject}: round ${round + 1} of ${rounds}`);
    // Turned around each time: whoever comes second finds another machine than the first.
    for (const side of round % 2 === 0 ? 'AB' : 'BA') {
      const measured = await measureInChild(side === 'A' ? rootA : rootB, subject, options, signal);
      if (measured instanceof NotMeasured) {
        return { subject, tasks: [], notMeasured: `in ${side}: ${measured.reason}` };
      }
      (side === 'A' ? ofA : ofB).push(measured);
    }
  }
  const names = ofA[0]?.tasks.map((task) => task.name) ?? [];
  return { subject, tasks: names.map((name) => compareTask(name, ofA, ofB)), notMeasured: undefined };
}

function compareTask(
  name: string,
  ofA: readonly SubjectMeasurement[],
  ofB: readonly SubjectMeasurement[],
): TaskComparison {
  const a = figuresOf(name, ofA);
  const b = figuresOf(name, ofB);
  return {
    name,
    nsA: median(a.ns),
    nsB: median(b.ns),
    heapBytesA: median(a.heapBytes),
    heapBytesB: median(b.heapBytes),
    ratio: ratioOf(a.ns, b.ns),
  };
}

function figuresOf(name: string, measured: readonly SubjectMeasurement[]): { ns: number[]; heapBytes: number[] } {
  const tasks = measured.flatMap((each) => each.tasks.filter((task) => task.name === name));
  return { ns: tasks.map((task) => task.medianNs), heapBytes: tasks.map((task) => task.heapBytes) };
}
