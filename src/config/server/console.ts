import { z } from 'zod';
import { keyWithDefault, optionalKey, restricting, restrictingKey, wholeNumber } from '../scalar-schema.ts';
import { subjectPattern } from '../subject-schema.ts';
import { oidc } from './oidc.ts';
import { publicUrl } from './safe-address.ts';
import { type SettingsOf, section } from './section.ts';

const consoleRole = z.object({
  subjects: z
    .array(subjectPattern)
    .min(1, { error: 'at least one subject' })
    .max(1000, { error: 'at most 1000 subjects' })
    .describe('Who: `user:…`, `team:…`, `virtualaccount:…`; `team:everyone` and `*` are everybody with a key.'),
  role: z
    .enum(['viewer', 'operator', 'admin'])
    .describe(
      '`viewer` looks at what data access opens, `operator` also does what destroys nothing, `admin` everything. The highest of all that match counts.',
    ),
});

export const consoleSettings = section(
  z.object({
    enabled: keyWithDefault(z.boolean(), true).describe(
      'Whether there is a console on the operator port; without an admin key on loopback alone, and read-only.',
    ),
    public_url: optionalKey(publicUrl).describe(
      'Where browsers reach the operator port, as `https://sluice.example.com`, where that is another address than its own.',
    ),
    session_ms: keyWithDefault(wholeNumber(60_000, 2_592_000_000), 43_200_000).describe('Longest life of a session.'),
    idle_ms: keyWithDefault(wholeNumber(60_000, 2_592_000_000), 3_600_000).describe(
      'How long a session lasts in which nothing is asked.',
    ),
    roles: restrictingKey(keyWithDefault(z.array(consoleRole).max(1000, { error: 'at most 1000 rules' }), [])).describe(
      'Who may sign in beside whoever holds the admin key, and what they may.',
    ),
    oidc: restricting(oidc).describe('Sign-in with an identity provider; absent: with keys alone.'),
  }),
);

/** What somebody may do in the console. */
export type ConsoleRole = 'viewer' | 'operator' | 'admin';

/** Sign-in to the console. Holds a secret: never logged. */
export type ConsoleSettings = SettingsOf<typeof consoleSettings>;
