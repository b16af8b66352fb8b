import { z } from 'zod';
import { keyWithDefault, wholeNumber } from '../scalar-schema.ts';
import { gibibyte, section } from './section.ts';

export const files = section(
  z.object({
    shared_with: keyWithDefault(z.enum(['nobody', 'team']), 'nobody').describe(
      'Who sees a file beside the caller that uploaded it: `team` is the first of the teams of its key.',
    ),
  }),
);

export const batches = section(
  z.object({
    max_concurrency: keyWithDefault(wholeNumber(0, 65_536), 64).describe(
      'Lines of batches that this gateway sends at once; 0: it runs none. Fewer while they keep clients waiting.',
    ),
    max_attempts: keyWithDefault(wholeNumber(1, 100), 4).describe(
      'How often a line is sent at the most where it fails for a reason that may pass; a provider that is too busy is asked again at its pace.',
    ),
  }),
);

export const responses = section(
  z.object({
    keep: keyWithDefault(z.boolean(), true).describe(
      'Whether answers of `/responses` are kept, so that their callers ask for them later and go on from them.',
    ),
    keep_days: keyWithDefault(wholeNumber(1, 3_650), 30).describe('For so long.'),
    max_bytes: keyWithDefault(wholeNumber(1, gibibyte), 4_194_304).describe(
      'Of one turn, what was asked and answered; a larger one is not kept.',
    ),
    max_event_bytes: keyWithDefault(wholeNumber(1, gibibyte), 16_777_216).describe(
      'Of one answer in the background, the events that are kept for a day to be told again.',
    ),
  }),
);

/** Answers that callers may go on from. */
export interface ResponseSettings {
  /** False: none is kept. */
  keep: boolean;
  keepMs: number;
  /** The bound of one turn: what was asked and answered. A larger one is not kept. */
  maxBytes: number;
  /** The bound of the events of one answer in the background. */
  maxEventBytes: number;
}
