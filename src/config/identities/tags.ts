import { z } from 'zod';
import { type Manifest, type Report, warn } from '../manifests.ts';
import { keyWithDefault } from '../scalar-schema.ts';

/** The reference product lets the value of a tag be anything; metadata of a request is text. */
export const tags = keyWithDefault(z.record(z.string(), z.unknown()), {});

/** Those that can be metadata; of the others a warning. */
export function metadataOf(
  written: Record<string, unknown>,
  manifest: Manifest,
  report: Report,
): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [key, value] of Object.entries(written)) {
    if (value === null || value === undefined) continue;
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
      Object.defineProperty(kept, key, { value: String(value), enumerable: true, writable: true, configurable: true });
    } else {
      const message = 'only text, numbers and booleans become metadata of requests; this tag has no effect';
      warn(report, manifest, ['tags', key], { message });
    }
  }
  return kept;
}
