import { z } from 'zod';
import { keyWithDefault, optionalKey, secretText, text } from '../scalar-schema.ts';
import type { SettingsOf } from './section.ts';

const scopeError = 'a scope of OpenID Connect, without spaces';
const written = z.object({
  identity_provider: text(256).describe('Name of the identity provider that people sign in with.'),
  client_id: text(512).describe('As what the gateway is registered there.'),
  client_secret: optionalKey(secretText(4096)).describe('Its secret; absent: it is a public client.'),
  scopes: keyWithDefault(
    z
      .array(z.string({ error: scopeError }).regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/, { error: scopeError }))
      .max(64, { error: 'at most 64 scopes' }),
    ['openid', 'email', 'profile'],
  ).describe('What it asks for; claims of subject and teams must be in the ID token.'),
});

/** Sign-in of people with an identity provider: in the console, and where clients of MCP are signed in. */
export const oidc = optionalKey(written);

export type OidcSettings = SettingsOf<typeof written>;
