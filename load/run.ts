/** `npm run load -- SCENARIO [options]`: a black box, nothing here imports src/. README.md tells how to read the table. */
import { resolve } from 'node:path';
import { openBench } from './bench.ts';
import { stopAll } from './child.ts';
import { judgeGoals } from './goals.ts';
import { NUMBERS_SUBJECTS, renderNumbers } from './numbers.ts';
import { watchOthers } from './others.ts';
import { countIdentical, FIDELITY_MODELS, renderOverhead } from './overhead.ts';
import { bare } from './peers/bare.ts';
import { direct } from './peers/direct.ts';
import { nginx } from './peers/nginx.ts';
import { otherGateway } from './peers/others.ts';
import type { Peer } from './peers/peer.ts';
import { portkey } from './peers/portkey.ts';
import {
  sluice,
  sluiceBefore,
  sluiceGuarded,
  sluiceLean,
  sluicePlain,
  sluiceSecrets,
  sluiceStorm,
} from './peers/sluice.ts';
import { renderGoals, renderScenario, writeJson } from './report.ts';
import { runRounds, type ScenarioResult } from './rounds.ts';
import { NUMBERS, OVERHEAD, SCENARIOS } from './scenarios/all.ts';
import { GUARDS_SUBJECTS } from './scenarios/guards.ts';
import { type Command, readCommand, UsageError } from './settings.ts';

const PEERS: Peer[] = [
  direct,
  nginx,
  bare,
  portkey,
  sluiceLean,
  sluicePlain,
  sluiceSecrets,
  sluiceGuarded,
  sluiceStorm,
  sluice,
];
const COMPOSED = [
  { name: 'overhead', summary: 'the composed table direct / Sluice / peers, with what Sluice reaches of its goals' },
  { name: 'numbers', summary: 'the table of docs/numbers.md in Markdown, with nginx and the bare relay' },
];

function list(): string {
  const lines = [...SCENARIOS, ...COMPOSED];
  return lines.map(({ name, summary }) => `${name.padEnd(18)}${summary}\n`).join('');
}

/** Standard error tells how far it is; standard output holds the tables only. */
function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}

async function run({ scenario: name, subjects: wanted, gateways, before, settings, jsonFile }: Command): Promise<void> {
  const composed = { overhead: OVERHEAD, numbers: NUMBERS }[name];
  const scenarios = composed ?? SCENARIOS.filter((one) => one.name === name);
  const models = new Set(scenarios.flatMap((one) => one.models(settings)));
  if (name === 'overhead') for (const { model } of FIDELITY_MODELS) models.add(model);
  const peers = PEERS.filter((peer) => wanted.includes(peer.name));
  for (const [own, commandOrUrl] of gateways) peers.push(otherGateway(own, commandOrUrl));
  if (before !== undefined) peers.push(sluiceBefore(resolve(before)));
  const { bench, subjects, notes, close } = await openBench(peers, [...models], settings);
  const others = watchOthers();
  try {
    const results: ScenarioResult[] = [];
    for (const scenario of scenarios) results.push(await runRounds(scenario, bench, subjects, tell));
    const goals = judgeGoals(results);
    const parts = [];
    if (name === 'overhead') {
      const identical = new Map<string, string>();
      for (const subject of subjects) identical.set(subject.name, await countIdentical(bench, subject));
      parts.push(renderOverhead(results, subjects, identical));
    } else if (name === 'numbers') parts.push(renderNumbers(results, subjects));
    else parts.push(...results.map(renderScenario));
    if (goals.length > 0) parts.push(renderGoals(goals));
    const remarks = [...subjects.flatMap((subject) => subject.notes), ...notes, others()].filter(
      (one) => one !== undefined,
    );
    if (remarks.length > 0) parts.push(remarks.map((note) => `  ${note}`).join('\n'));
    process.stdout.write(`\n${parts.join('\n\n')}\n\n`);
    tell(`written to ${writeJson(jsonFile, name, settings, { scenarios: results, goals, notes: remarks })}`);
  } finally {
    await close();
  }
}

/** A signal ends the children first; the exit hook in child.ts is the net below that. */
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.once(signal, () => void stopAll().finally(() => process.exit(code)));
}

try {
  const known = {
    scenarios: [...SCENARIOS, ...COMPOSED].map((one) => one.name),
    peers: PEERS.map((peer) => peer.name),
    subjects: { numbers: NUMBERS_SUBJECTS, storm: [sluiceStorm.name], guards: GUARDS_SUBJECTS },
  };
  const command = readCommand(process.argv.slice(2), known);
  if (command.scenario === 'list') process.stdout.write(list());
  else await run(command);
} catch (error) {
  const { message, stack } = error as Error;
  process.stderr.write(`load: ${error instanceof UsageError ? message : (stack ?? message)}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
