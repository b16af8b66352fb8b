import { z } from 'zod';
import { keyWithDefault, wholeNumber } from '../scalar-schema.ts';
import { gibibyte, type SettingsOf, section } from './section.ts';

const semantic = section(
  z.object({
    max_entries: keyWithDefault(wholeNumber(16, 262_144), 16_384).describe(
      'Vectors of questions in memory, over all threads; the newest takes the place of the oldest.',
    ),
    max_bytes: keyWithDefault(wholeNumber(65_536, 4 * gibibyte), 67_108_864).describe(
      'Memory for those vectors; it is used as it fills.',
    ),
    max_redis_entries: keyWithDefault(wholeNumber(1, 1024), 256).describe(
      'Vectors kept in Redis of requests that differ in their last text alone.',
    ),
    embedding_timeout_ms: keyWithDefault(wholeNumber(1, 60_000), 1_000).describe(
      'How long a vector is waited for; then the provider is asked as if there were no cache.',
    ),
    max_concurrent_embeddings: keyWithDefault(wholeNumber(1, 4_096), 64).describe(
      'Vectors that one relay thread asks for at the same time; further requests do without.',
    ),
    max_messages: keyWithDefault(wholeNumber(1, 1_000), 3).describe(
      'Of a conversation, system prompts apart; of a longer one only equal requests are hits.',
    ),
    max_text_bytes: keyWithDefault(wholeNumber(1, 65_536), 8_192).describe(
      'Of the text that is compared; of a longer one only equal requests are hits.',
    ),
  }),
);

export const cache = section(
  z.object({
    max_bytes: keyWithDefault(wholeNumber(0, 64 * gibibyte), 67_108_864).describe(
      'Memory for cached answers, over all threads; it is used as it fills. 0: nothing is cached.',
    ),
    max_entry_bytes: keyWithDefault(wholeNumber(1024, 268_435_456), 1_048_576).describe(
      'Bound of one answer; a larger one is not cached.',
    ),
    timeout_ms: keyWithDefault(wholeNumber(1, 60_000), 100).describe(
      'A Redis that takes longer counts as away, and the answer as not cached.',
    ),
    semantic: semantic.describe('Bounds of answers to like questions.'),
  }),
);

/** Bounds of cached answers. */
export type CacheLimits = SettingsOf<typeof cache>;

/** Bounds of what makes answers of like questions hits. */
export type SemanticCacheLimits = SettingsOf<typeof semantic>;
