/** What we want Sluice to reach: the last goal, and what would do for a first landing. All are upper bounds but one. */
import { VENDORS } from './peers/peer.ts';
import type { GoalRow } from './report.ts';
import type { ScenarioResult } from './rounds.ts';

type Goal = {
  scenario: string;
  key: string;
  goal: string;
  target: number;
  landing: number;
  digits: number;
  atLeast?: true;
};

const GOALS: Goal[] = [
  {
    scenario: 'chat-whole',
    key: 'vsNginx',
    goal: 'CPU per whole answer, × nginx',
    target: 1.5,
    landing: 2.3,
    digits: 2,
  },
  {
    scenario: 'chat-whole',
    key: 'vsPortkey',
    goal: 'CPU per whole answer, × Portkey',
    target: 1 / 25,
    landing: 1 / 15,
    digits: 3,
  },
  {
    scenario: 'chat-burst',
    key: 'vsNginx',
    goal: 'CPU per burst stream, × nginx',
    target: 0.8,
    landing: 1.2,
    digits: 2,
  },
  { scenario: 'chat-paced', key: 'vsNginx', goal: 'CPU per paced chunk, × nginx', target: 1.2, landing: 2, digits: 2 },
  { scenario: 'added-latency', key: 'addedP50Us', goal: 'added latency p50, µs', target: 60, landing: 120, digits: 0 },
  {
    scenario: 'added-latency',
    key: 'addedP99Us',
    goal: 'added latency p99, µs',
    target: 300,
    landing: 1000,
    digits: 0,
  },
  ...VENDORS.map((vendor) => ({
    scenario: 'translate-chat',
    key: `${vendor}TimesPassed`,
    goal: `CPU per stream translated from ${vendor}, × passed`,
    target: 2,
    landing: 2.5,
    digits: 2,
  })),
  {
    scenario: 'many-streams',
    key: 'streamsWithoutStall',
    goal: 'paced streams at once without a stall',
    target: 10_000,
    landing: 4000,
    digits: 0,
    atLeast: true,
  },
  {
    scenario: 'many-streams',
    key: 'rssPerStreamKb',
    goal: 'memory per open stream, KB',
    target: 12,
    landing: 30,
    digits: 1,
  },
  {
    scenario: 'slow-reader',
    key: 'rssPerReaderKb',
    goal: 'memory per client that never reads, KB',
    target: 256,
    landing: 1024,
    digits: 0,
  },
  {
    scenario: 'client-leaves',
    key: 'streamCancelP99Ms',
    goal: 'provider call cancelled after a client leaves, p99 ms',
    target: 100,
    landing: 100,
    digits: 1,
  },
  {
    scenario: 'large-image-body',
    key: 'addedP99Ms',
    goal: "20 MB images next door, added to a neighbour's p99, ms",
    target: 5,
    landing: 5,
    digits: 1,
  },
  {
    scenario: 'mcp',
    key: 'newTimesChat',
    goal: 'CPU of a tool call, × a whole answer',
    target: 2,
    landing: 2,
    digits: 2,
  },
  {
    scenario: 'mcp',
    key: 'oldTimesChat',
    goal: 'CPU of a tool call within a session, × a whole answer',
    target: 2,
    landing: 2,
    digits: 2,
  },
  {
    scenario: 'mcp',
    key: 'rssPerSessionKb',
    goal: 'memory per idle session of MCP, KB',
    target: 20,
    landing: 20,
    digits: 1,
  },
  {
    scenario: 'policies',
    key: 'vsSluice-plain',
    goal: 'CPU with 10 rate rules, 5 budgets and the ledger, × none',
    target: 1.15,
    landing: 1.15,
    digits: 3,
  },
];

/** The goals that these results can answer, for Sluice; nothing when Sluice did not take part. */
export function judgeGoals(results: ScenarioResult[]): GoalRow[] {
  return GOALS.flatMap(({ scenario, key, goal, target, landing, digits, atLeast }) => {
    const result = results.find((one) => one.scenario === scenario);
    const own = result?.subjects.find((one) => one.subject === 'sluice');
    if (!result || !own || !result.columns.some((column) => column.key === key)) return [];
    const measured = own.figures[key] ?? null;
    const verdict = (bound: number): GoalRow['goalVerdict'] => {
      if (typeof measured !== 'number') return 'void';
      return (atLeast ? measured >= bound : measured <= bound) ? 'met' : 'not met';
    };
    return [
      {
        goal,
        measured,
        digits,
        bound: atLeast ? ('≥' as const) : ('≤' as const),
        target,
        landing,
        goalVerdict: verdict(target),
        landingVerdict: verdict(landing),
      },
    ];
  });
}
