import type { KeyNote } from '../../src/store/key-notes.ts';
import type { KeyNews } from '../../src/store/key-watch.ts';
import type { VerificationKey } from '../../src/store/token-form.ts';

/** All that a key ring knows of issued keys, as at its birth. */
export function issuedKeys(signingKeys: readonly VerificationKey[], notes: readonly KeyNote[] = []): KeyNews {
  return { startsAnew: true, signingKeys, notes };
}
