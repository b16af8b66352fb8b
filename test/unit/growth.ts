import assert from 'node:assert/strict';

/** The time of the processor, the least of some rounds: a busy neighbour takes the core away, and the caches. */
export function leastMs(run: () => void, rounds = 5): number {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round += 1) {
    const from = cpuMs();
    run();
    least = Math.min(least, cpuMs() - from);
  }
  return least;
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/**
 * Compares two runs of which one has four times the bytes: linear is 4, quadratic 16. In one of three tries it must be
 * below 10, since a busy neighbour can only make it worse.
 */
export function assertLinear(four: () => void, one: () => void, what = ''): void {
  const ratios: string[] = [];
  one();
  while (ratios.length < 3) {
    const ratio = leastMs(four) / leastMs(one);
    if (ratio < 10) return;
    ratios.push(ratio.toFixed(1));
  }
  assert.fail(`${what} four times the bytes took ${ratios.join(', ')} times as long`);
}
