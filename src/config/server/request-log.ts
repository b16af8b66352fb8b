import { z } from 'zod';
import { redactionPattern } from '../rules/redactions.ts';
import { keyWithDefault, restricting, wholeNumber } from '../scalar-schema.ts';
import { gibibyte, type SettingsOf, section } from './section.ts';

export const requestLog = section(
  z.object({
    max_body_bytes: keyWithDefault(wholeNumber(1, 4_194_304), 65_536).describe(
      'Of a request, and of an answer, so much is kept; what is longer is cut there.',
    ),
    retention_days: keyWithDefault(wholeNumber(1, 36_500), 30).describe('How long bodies are kept.'),
    store: keyWithDefault(z.enum(['database', 'blobs']), 'database').describe(
      'Where bodies lie: in the database, or where `store.blobs` says.',
    ),
    max_queued_bytes: keyWithDefault(wholeNumber(65_536, gibibyte), 67_108_864).describe(
      'Bodies that may wait to be kept, over all threads; further ones are dropped and counted.',
    ),
    max_queued_webhooks: keyWithDefault(wholeNumber(1, 100_000), 1_000).describe(
      'Exchanges that may wait for one webhook; further ones are dropped and counted.',
    ),
    redact: restricting(
      keyWithDefault(z.array(redactionPattern).max(64, { error: 'at most 64 patterns' }), []),
    ).describe('What is blacked out of every kept body: `preset`, or `pattern` of RE2; and perhaps `replacement`.'),
  }),
);

/** What holds for all kept bodies. */
export type RequestLogSettings = SettingsOf<typeof requestLog>;
