import { z } from 'zod';
import {
  keyWithDefault,
  optionalKey,
  restricting,
  restrictingKey,
  secretText,
  text,
  wholeNumber,
} from '../scalar-schema.ts';
import { subjectPattern } from '../subject-schema.ts';
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

const scopeError = 'a scope of OpenID Connect, without spaces';
const consoleOidc = optionalKey(
  z.object({
    identity_provider: text(256).describe('Name of the identity provider that people sign in with.'),
    client_id: text(512).describe('As what the gateway is registered there.'),
    client_secret: optionalKey(secretText(4096)).describe('Its secret; absent: it is a public client.'),
    scopes: keyWithDefault(
      z
        .array(z.string({ error: scopeError }).regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/, { error: scopeError }))
        .max(64, { error: 'at most 64 scopes' }),
      ['openid', 'email', 'profile'],
    ).describe('What it asks for; claims of subject and teams must be in the ID token.'),
  }),
);

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
    oidc: restricting(consoleOidc).describe('Sign-in with an identity provider; absent: with keys alone.'),
  }),
);

/** What somebody may do in the console. */
export type ConsoleRole = 'viewer' | 'operator' | 'admin';

/** Sign-in to the console. Holds a secret: never logged. */
export type ConsoleSettings = SettingsOf<typeof consoleSettings>;

export type ConsoleOidc = NonNullable<ConsoleSettings['oidc']>;
