import { createPrivateKey } from 'node:crypto';
import { z } from 'zod';

/** A private key in PEM form. In variables of an environment the ends of its lines are often written `\n`. */
export function privateKeyText(error = 'a private key in PEM form, without a password') {
  return z
    .string({ error })
    .transform((pem) => pem.replaceAll('\\n', '\n'))
    .refine(isPrivateKey, { error });
}

function isPrivateKey(pem: string): boolean {
  try {
    return createPrivateKey(pem).type === 'private';
  } catch {
    // Not a key: the schema says so.
    return false;
  }
}
