import { z } from 'zod';
import { keyWithDefault, wholeNumber } from '../scalar-schema.ts';
import { gibibyte, type SettingsOf, section } from './section.ts';

export const realtime = section(
  z.object({
    max_session_ms: keyWithDefault(wholeNumber(1000, 86_400_000), 3_600_000).describe(
      'How long a session may last. OpenAI ends its own after an hour.',
    ),
    setup_ms: keyWithDefault(wholeNumber(100, 600_000), 10_000).describe(
      'How long the first message of a session may take that names its model (Gemini).',
    ),
    silence_ms: keyWithDefault(wholeNumber(1000, 600_000), 30_000).describe(
      'How often a provider is pinged; one that sent nothing and answered no ping since the last is taken for gone.',
    ),
    max_waiting_bytes: keyWithDefault(wholeNumber(65_536, gibibyte), 8_388_608).describe(
      'Bound of what waits for the provider of one session, since a client’s WebSocket cannot be paused.',
    ),
  }),
);

/** `realtime` of `sluice/server`. */
export type RealtimeSettings = SettingsOf<typeof realtime>;
