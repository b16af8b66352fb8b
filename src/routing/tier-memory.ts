import { createHash } from 'node:crypto';
import type { ComplexityTier } from '../config/rules/routing-settings.ts';

/** One word each. Two texts of one slot: the later takes it. */
const MAX_TIERS = 65_536;
const TIERS: readonly ComplexityTier[] = ['simple', 'medium', 'complex'];
/** The lowest two bits of a word: 0 is no tier. */
const TIER_BITS = 3;

/**
 * What classifier models said of texts, in memory that all threads share and that never grows. A word holds 30 bits of
 * the text's digest with its tier, so that one load or store is all it takes.
 */
export class TierMemory {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;

  constructor(buffer?: SharedArrayBuffer) {
    this.buffer = buffer ?? new SharedArrayBuffer(4 * MAX_TIERS);
    this.#words = new Int32Array(this.buffer);
  }

  /** `name`: whatever the tier depends on. Undefined: nothing is remembered. */
  get(name: string): ComplexityTier | undefined {
    const { slot, tag } = placeOf(name);
    const word = Atomics.load(this.#words, slot);
    return (word & ~TIER_BITS) === tag ? TIERS[(word & TIER_BITS) - 1] : undefined;
  }

  set(name: string, tier: ComplexityTier): void {
    const { slot, tag } = placeOf(name);
    Atomics.store(this.#words, slot, tag | (TIERS.indexOf(tier) + 1));
  }
}

function placeOf(name: string): { readonly slot: number; readonly tag: number } {
  const digest = createHash('sha256').update(name).digest();
  return { slot: digest.readUInt32LE(0) % MAX_TIERS, tag: digest.readInt32LE(4) & ~TIER_BITS };
}
