import { z } from 'zod';
import { CLIENT_SECRET_AUDIENCE, TOKEN_AUDIENCE, TOKEN_ISSUER } from './token-form.ts';

/** `user:<email>` or `virtualaccount:<name>`; no white space or control characters: it reaches logs and metric labels. */
export const subjectSchema = z.string().regex(/^(user|virtualaccount):[^\s\p{C}]{1,256}$/u);

/** Times are seconds since the Unix epoch. */
export const tokenClaimsSchema = z.object({
  iss: z.literal(TOKEN_ISSUER),
  aud: z.literal(TOKEN_AUDIENCE),
  sub: subjectSchema,
  jti: z.string().min(1).max(64),
  iat: z.number(),
  nbf: z.number().optional(),
  exp: z.number().optional(),
  teams: z.array(z.string()).default([]),
  /** Absent: all models. */
  models: z.array(z.string()).optional(),
  metadata: z.record(z.string(), z.string()).default({}),
});

export type TokenClaims = z.infer<typeof tokenClaimsSchema>;

/**
 * The claims of a token that the gateway gives to a client of MCP: good at one address alone, for whoever signed the
 * client in.
 */
export const accessTokenClaimsSchema = z.object({
  /** Base address of the gateway. */
  iss: z.string(),
  /** Address of the MCP server it is good at. */
  aud: z.string(),
  sub: subjectSchema,
  client_id: z.string(),
  jti: z.string().min(1).max(64),
  iat: z.number(),
  exp: z.number(),
  /** The key that it was asked for with: the token ends with it. */
  key_id: z.string().min(1).max(512),
  key_from: z.enum(['configured', 'issued', 'outside']),
  /** Separated by spaces (RFC 9068 §2.2.3); absent: all of the server. */
  scope: z.string().max(8192).optional(),
  teams: z.array(z.string()).default([]),
  metadata: z.record(z.string(), z.string()).default({}),
});

/** The claims of a secret for browsers: good for sessions of one model, for whoever asked for it. */
export const clientSecretClaimsSchema = z.object({
  iss: z.literal(TOKEN_ISSUER),
  aud: z.literal(CLIENT_SECRET_AUDIENCE),
  sub: subjectSchema,
  jti: z.string().min(1).max(64),
  iat: z.number(),
  exp: z.number(),
  /** The key that it was asked for with: the secret ends with it. */
  key_id: z.string().min(1).max(512),
  key_from: z.enum(['configured', 'issued', 'outside']),
  teams: z.array(z.string()).default([]),
  metadata: z.record(z.string(), z.string()).default({}),
  session: z.object({
    model: z.string().min(1),
    /** Canonical names of the targets of that model which its caller might use. */
    targets: z.array(z.string()),
    type: z.enum(['realtime', 'transcription']),
    config: z.record(z.string(), z.unknown()).optional(),
  }),
});

export type ClientSecretClaims = z.infer<typeof clientSecretClaimsSchema>;

export type AccessTokenClaims = z.infer<typeof accessTokenClaimsSchema>;
