/**
 * Rounds of a scenario: every subject once a round, in a turning order, and the median over the rounds, so that the
 * drift of a noisy machine hits all alike. Ratios are taken within a round, and then their median.
 */
import type { Subject } from './peers/peer.ts';
import type { Bench, Column, Round, Scenario, Void } from './scenario.ts';

const REFERENCES = ['nginx', 'bare', 'portkey', 'sluice-plain', 'sluice-before'];

/** 'void': measured, but its preconditions failed. null: there is no such figure for this subject. */
export type Figure = number | 'void' | null;

export type SubjectResult = {
  subject: string;
  /** Medians over the rounds. */
  figures: Record<string, Figure>;
  voids: string[];
  notes: string[];
};

export type ScenarioResult = { scenario: string; columns: Column[]; rounds: number; subjects: SubjectResult[] };

export type Progress = (line: string) => void;

export async function runRounds(scenario: Scenario, bench: Bench, subjects: Subject[], tell: Progress) {
  const unfit = new Map(subjects.map((subject) => [subject, scenario.unfit?.(subject)]));
  const taking = subjects.filter((subject) => unfit.get(subject) === undefined);
  const seen = new Map<string, Round[]>(taking.map((subject) => [subject.name, []]));
  for (const subject of taking) await scenario.warmUp?.(bench, subject);
  const rounds = bench.settings.rounds ?? scenario.rounds;
  for (let round = 0; round < rounds; round++) {
    const figuresOf = new Map<string, Record<string, number>>();
    for (const subject of turned(taking, round)) {
      tell(`${scenario.name}: round ${round + 1} of ${rounds}, ${subject.name}`);
      const measured = await scenario.round(bench, subject);
      seen.get(subject.name)?.push(measured);
      figuresOf.set(subject.name, measured.figures);
    }
    if (scenario.costKey) addRatios(figuresOf, scenario.costKey);
  }
  const result: ScenarioResult = {
    scenario: scenario.name,
    columns: withRatios(scenario, taking),
    rounds,
    subjects: subjects.map((subject) => {
      const reason = unfit.get(subject);
      if (reason !== undefined) return { subject: subject.name, figures: {}, voids: [], notes: [reason] };
      return combine(subject.name, seen.get(subject.name) ?? [], withRatios(scenario, taking));
    }),
  };
  return result;
}

function turned<T>(items: T[], by: number): T[] {
  const at = items.length === 0 ? 0 : by % items.length;
  return [...items.slice(at), ...items.slice(0, at)];
}

/** `vsNginx`, `vsPortkey`, `vsSluice-plain`: this subject's cost divided by theirs in the same round. */
function addRatios(figuresOf: Map<string, Record<string, number>>, costKey: string): void {
  for (const reference of REFERENCES) {
    const base = figuresOf.get(reference)?.[costKey];
    if (!base) continue;
    for (const figures of figuresOf.values()) figures[ratioKey(reference)] = (figures[costKey] ?? Number.NaN) / base;
  }
}

export function ratioKey(reference: string): string {
  return `vs${reference[0]!.toUpperCase()}${reference.slice(1)}`;
}

function withRatios(scenario: Scenario, taking: Subject[]): Column[] {
  if (!scenario.costKey) return scenario.columns;
  const present = REFERENCES.filter((reference) => taking.some((subject) => subject.name === reference));
  const ratios = present.map((reference): Column => {
    return {
      key: ratioKey(reference),
      title: `× ${reference}`,
      digits: reference === 'nginx' || reference === 'bare' ? 2 : 3,
      basis: 'cpu',
    };
  });
  const at = scenario.columns.findIndex((column) => column.key === scenario.costKey) + 1;
  return [...scenario.columns.slice(0, at), ...ratios, ...scenario.columns.slice(at)];
}

const AFFECTED = { timing: 'times', cpu: 'CPU', all: 'all figures' };

/** A round whose times (or CPU) are void is left out of their median; they are void once half of the rounds are. */
function combine(subject: string, rounds: Round[], columns: Column[]): SubjectResult {
  const broken = rounds.some((round) => round.voids.some(({ scope }) => scope === 'all'));
  const figures: Record<string, Figure> = {};
  for (const { key, basis } of columns) {
    const good = rounds.filter((round) => !round.voids.some(({ scope }) => scope === basis));
    const exists = rounds.some((round) => !Number.isNaN(round.figures[key] ?? Number.NaN));
    const isVoid = broken || good.length <= rounds.length / 2;
    figures[key] = !exists ? null : isVoid ? 'void' : median(good.map((round) => round.figures[key] ?? Number.NaN));
  }
  return {
    subject,
    figures,
    voids: rounds.flatMap((round, index) =>
      round.voids
        .filter(({ scope }) => affects(scope, columns))
        .map(({ scope, reason }) => `round ${index + 1}, ${AFFECTED[scope]}: ${reason}`),
    ),
    notes: [...new Set(rounds.flatMap((round) => round.notes ?? []))],
  };
}

function affects(scope: Void['scope'], columns: Column[]): boolean {
  return scope === 'all' || columns.some(({ basis }) => basis === scope);
}

/** Rounds without the figure do not count; null when none has it. */
export function median(values: number[]): number | null {
  const sorted = values.filter((value) => !Number.isNaN(value)).toSorted((a, b) => a - b);
  if (sorted.length === 0) return null;
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
