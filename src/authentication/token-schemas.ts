import { z } from 'zod';

export {
  accessTokenClaimsSchema,
  clientSecretClaimsSchema,
  subjectSchema,
  tokenClaimsSchema,
} from '../store/token-claims.ts';

/** The header of a JWT of an outside issuer. */
export const headSchema = z.looseObject({ alg: z.string().max(16), kid: z.string().max(256).optional() });

/** What a verified payload must hold whoever issued it; all else is read by the provider's paths. */
export const payloadSchema = z.looseObject({
  iss: z.string(),
  aud: z.union([z.string(), z.array(z.string()).max(100)]).optional(),
  exp: z.number(),
  nbf: z.number().optional(),
  jti: z.string().optional(),
});

export type Payload = z.infer<typeof payloadSchema>;
