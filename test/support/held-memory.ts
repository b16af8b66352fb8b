import { HeldMemory } from '../../src/relay/held-memory.ts';
import { SharedCounters } from '../../src/threads/shared-counters.ts';

/** Memory for one exchange, which nobody else takes of. */
export function heldMemory(maxBytes = 1024 ** 3): HeldMemory {
  return new HeldMemory(new SharedCounters(1, 0), maxBytes);
}
