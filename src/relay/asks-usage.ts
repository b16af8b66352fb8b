import type { PeekedRequest } from '../dialects/dialect.ts';
import type { Target } from '../providers/provider.ts';

/** The gateway asks for usage where the client did not and the provider is known to understand. */
export function asksUsage(peeked: PeekedRequest, target: Target): boolean {
  return peeked.stream && !peeked.includeUsage && target.abilities.usageInStream;
}
