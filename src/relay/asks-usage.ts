import type { GatewayError } from '../core/errors.ts';
import type { Dialect, PeekedRequest } from '../dialects/dialect.ts';
import type { Target } from '../providers/provider.ts';

/**
 * Targets whose provider refused to be asked for usage. They belong to one configuration and are forgotten with it; there
 * are no more of them than routing remembers.
 */
const refusing = new WeakSet<Target>();

/** Some name what stands in the parameter. */
const USAGE_OPTION = 'include_usage';

/** The gateway asks for usage where the client did not and the provider is taken to understand. */
export function asksUsage({ usageParameter }: Dialect, peeked: PeekedRequest, target: Target): boolean {
  if (usageParameter === undefined || !peeked.stream || peeked.includeUsage) return false;
  return target.abilities.usageInStream && !refusing.has(target);
}

/** Whether an attempt in which the gateway asked for usage was refused for that. The target is not asked for it again. */
export function refusedUsage({ usageParameter }: Dialect, target: Target, error: GatewayError): boolean {
  if (usageParameter === undefined || error.code !== 'upstream_rejected') return false;
  const said = `${error.context.param} ${error.context.detail}`;
  if (!said.includes(usageParameter) && !said.includes(USAGE_OPTION)) return false;
  refusing.add(target);
  return true;
}
