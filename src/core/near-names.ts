const longestName = 256;
const mostCandidates = 20_000;

/**
 * The candidates that somebody who wrote `name` may have meant, nearest first: for "did you mean". Case does not count;
 * two letters swapped are one mistake. At most one mistake per three letters and four in all, else any name is near to
 * all; and none that is clearly farther than the nearest.
 */
export function nearNames(name: string, candidates: Iterable<string>, most = 3): string[] {
  if (name.length > longestName) return [];
  const wanted = name.toLowerCase();
  const bound = Math.min(4, Math.max(1, Math.floor(wanted.length / 3)));
  const found = new Map<string, number>();
  let looked = 0;
  for (const candidate of candidates) {
    looked += 1;
    if (looked > mostCandidates) break;
    if (Math.abs(candidate.length - wanted.length) > bound) continue;
    const distance = editDistance(wanted, candidate.toLowerCase(), bound);
    if (distance <= bound) found.set(candidate, distance);
  }
  const ordered = [...found].sort(([a, near], [b, far]) => near - far || (a < b ? -1 : 1));
  const nearest = ordered[0]?.[1] ?? 0;
  const close = ordered.filter(([, distance]) => distance <= nearest + 1);
  return close.slice(0, most).map(([candidate]) => candidate);
}

/** Optimal string alignment distance, given up (as bound + 1) once a whole row is over the bound. */
function editDistance(a: string, b: string, bound: number): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    let least = i;
    for (let j = 1; j <= b.length; j += 1) {
      const substitution = a[i - 1] === b[j - 1] ? 0 : 1;
      let cost = Math.min(previous[j]! + 1, row[j - 1]! + 1, previous[j - 1]! + substitution);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, beforePrevious[j - 2]! + 1);
      }
      row.push(cost);
      if (cost < least) least = cost;
    }
    if (least > bound) return bound + 1;
    beforePrevious = previous;
    previous = row;
  }
  return previous[b.length]!;
}
