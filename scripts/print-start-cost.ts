/** `npm exec -c 'node scripts/print-start-cost.ts'`: how soon a gateway is ready and what it holds then (Linux). */
import { rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { measureStart, type StartCost, withBusyCores } from './start-cost.ts';

const ROUNDS = 5;

await rm(fileURLToPath(new URL('../node_modules/.cache/sluice', import.meta.url)), { recursive: true, force: true });
const first = await measureStart();
const later: StartCost[] = [];
for (let round = 0; round < ROUNDS; round += 1) later.push(await measureStart());
const further: StartCost[] = [];
for (let round = 0; round < ROUNDS; round += 1) further.push(await measureStart(2));
const busy: StartCost[] = [];
for (let round = 0; round < ROUNDS; round += 1) busy.push(await withBusyCores(measureStart));

print('the first start of a clone', [first]);
print(`a later one (median of ${ROUNDS})`, later);
print(`with two relay threads (median of ${ROUNDS})`, further);
print(`while all ${availableParallelism()} cores are busy (median of ${ROUNDS})`, busy);

function print(name: string, costs: readonly StartCost[]): void {
  const median = (of: (cost: StartCost) => number): number =>
    costs.map(of).sort((a, b) => a - b)[costs.length >> 1] ?? 0;
  const ready = (median(({ readyMs }) => readyMs) / 1000).toFixed(2);
  const cpu = (median(({ cpuMs }) => cpuMs) / 1000).toFixed(2);
  console.log(
    `${name}: ready after ${ready} s with npm, ${cpu} s of CPU; idle ${median(({ idleMib }) => idleMib)} MiB`,
  );
}
