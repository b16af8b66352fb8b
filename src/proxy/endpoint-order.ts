import type { EndpointPool, RawEndpoint } from '../providers/provider.ts';

/**
 * In which order the endpoints of a pool are asked: one chosen by weight, or the one of the lowest priority, then those
 * that are candidates for a fallback. Those whose metadata the request does not have are left out, as are those that
 * the caller may not use.
 */
export function endpointOrder(
  { order, endpoints }: EndpointPool,
  metadata: Readonly<Record<string, string>>,
  allows: (model: string) => boolean,
  random = Math.random,
): RawEndpoint[] {
  const able = endpoints.filter(
    (each) =>
      allows(each.target.id) && Object.entries(each.metadata).every(([name, value]) => metadata[name] === value),
  );
  // Stable: of equals the one that is listed first.
  const ranked = able.toSorted((one, other) =>
    order === 'priority' ? one.priority - other.priority : other.weight - one.weight,
  );
  const first = order === 'weight' ? byWeight(ranked, random) : ranked[0];
  return first === undefined ? [] : [first, ...ranked.filter((each) => each !== first && each.isFallback)];
}

function byWeight(endpoints: readonly RawEndpoint[], random: () => number): RawEndpoint | undefined {
  const all = endpoints.reduce((sum, { weight }) => sum + weight, 0);
  let left = random() * all;
  for (const each of endpoints) {
    left -= each.weight;
    if (left < 0) return each;
  }
  return endpoints[0];
}
