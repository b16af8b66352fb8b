import type { SessionIdentifier } from '../config/rules/routing-settings.ts';
import type { PlanContext } from './route-plan.ts';

/** What sets a session apart; undefined: the request has none of the identifiers. */
export function sessionOf(
  identifiers: readonly SessionIdentifier[],
  context: Pick<PlanContext, 'metadata' | 'header'>,
): number | undefined {
  let hash = FNV_OFFSET;
  let any = false;
  for (const { source, key } of identifiers) {
    const value = source === 'headers' ? context.header(key) : valueIn(context.metadata, key);
    if (value !== undefined) any = true;
    hash = mix(hash, `${key}\0${value ?? ''}\0`);
  }
  return any ? hash : undefined;
}

/**
 * How strongly a session belongs to a target of this weight: it goes to the strongest that can be asked. Every gateway
 * finds the same without memory, shares are as the weights say, and a target that comes or goes moves only its own
 * sessions. https://www.snia.org/sites/default/files/SDC15_presentations/dist_sys/Jason_Resch_New_Consistent_Hashings_Rev.pdf
 */
export function belonging(session: number, target: number, weight: number): number {
  const unit = (scramble(session ^ target) + 0.5) / 2 ** 32;
  return weight / -Math.log(unit);
}

/** Whether somebody is among so many percent of all, by the hash of who it is: one who is stays among more. */
export function isAmong(hash: number, percent: number): boolean {
  return (scramble(hash) / 2 ** 32) * 100 < percent;
}

/** `constructor` is a key like any other. */
function valueIn(metadata: PlanContext['metadata'], key: string): string | undefined {
  return Object.hasOwn(metadata, key) ? metadata[key] : undefined;
}

export function hashOf(text: string): number {
  return mix(FNV_OFFSET, text);
}

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

function mix(before: number, text: string): number {
  let hash = before;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), FNV_PRIME);
  }
  return hash;
}

/** The last step of MurmurHash3, so that near hashes are far apart. */
function scramble(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
