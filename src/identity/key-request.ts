import { z } from 'zod';
import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import { subjectSchema } from '../store/token-claims.ts';
import type { KeyWish } from './key-wish.ts';
import { TIME_SPAN_FORM, timeSpanMs } from './time-span.ts';

/** How long a rotated key may go on working. */
const MAX_GRACE_MS = 366 * 86_400_000;
const USUAL_GRACE = '24h';
/** Every relay thread holds it of every opaque key. */
const MAX_METADATA = 100;

/** Control characters would let a name write what it likes into logs and tables. */
const plain = (most: number) => {
  const error = `1 to ${most} printable characters`;
  return z
    .string({ error })
    .min(1, { error })
    .max(most, { error })
    .refine((text) => !/\p{C}/u.test(text), { error });
};
const list = (item: z.ZodType<string>) => z.array(item, { error: 'an array of up to 100' }).max(100);
const span = z
  .string({ error: TIME_SPAN_FORM })
  .transform((text) => timeSpanMs(text) ?? Number.NaN)
  .pipe(z.number({ error: TIME_SPAN_FORM }));
const subjectError = '`user:EMAIL` or `virtualaccount:NAME`, up to 256 characters without white space';
const patternError = 'patterns ACCOUNT/MODEL in which `*` stands for any characters';

const keyRequest = z.strictObject(
  {
    subject: z.string({ error: subjectError }).refine((text) => subjectSchema.safeParse(text).success, {
      error: subjectError,
    }),
    name: plain(64).nullish(),
    teams: list(plain(256)).nullish(),
    models: list(
      z.string({ error: patternError }).regex(/^[A-Za-z0-9._:/@+*-]{1,256}$/, { error: patternError }),
    ).nullish(),
    metadata: z
      .record(plain(128), z.union([z.literal(''), plain(128)], { error: 'up to 128 printable characters' }), {
        error: 'an object, text to text',
      })
      .refine((metadata) => Object.keys(metadata).length <= MAX_METADATA, { error: `up to ${MAX_METADATA} entries` })
      .nullish(),
    expires_in: span.nullish(),
    expires_at: z.iso
      .datetime({ offset: true, error: 'a moment as 2030-01-31T00:00:00Z' })
      .transform((text) => new Date(text))
      .nullish(),
    token_type: z.enum(['jwt', 'opaque'], { error: '`jwt` or `opaque`' }).nullish(),
  },
  { error: 'an object' },
);

/** What `POST /admin/keys` asks for. */
export function readKeyRequest(body: unknown, now: Date): OrError<KeyWish> {
  const parsed = keyRequest.safeParse(body ?? {});
  if (!parsed.success) return faultOf(parsed.error);
  const { subject, name, teams, models, metadata, expires_in: spanMs, expires_at: at, token_type: type } = parsed.data;
  if (at && spanMs) return invalid('expires_at', 'it and `expires_in` exclude each other');
  if (at && at <= now) return invalid('expires_at', 'allowed is a moment that lies ahead');
  return {
    subject,
    name: name ?? undefined,
    teams: teams ?? [],
    models: models ?? undefined,
    metadata: metadata ?? {},
    expiresAt: at ?? (spanMs ? new Date(now.getTime() + spanMs) : undefined),
    tokenType: type ?? undefined,
  };
}

const rotation = z.strictObject(
  {
    grace_period: z.union([z.literal('0s').transform(() => 0), span], { error: `${TIME_SPAN_FORM}; or 0s` }).nullish(),
  },
  { error: 'an object' },
);

/** What `POST /admin/keys/:id/rotate` asks for: the grace in milliseconds. */
export function readRotation(body: unknown): OrError<number> {
  const parsed = rotation.safeParse(body ?? {});
  if (!parsed.success) return faultOf(parsed.error);
  return graceMs(parsed.data.grace_period ?? timeSpanMs(USUAL_GRACE) ?? 0);
}

export function graceMs(asked: number): OrError<number> {
  return asked <= MAX_GRACE_MS ? asked : invalid('grace_period', 'allowed is up to 366d');
}

function faultOf(error: z.ZodError): GatewayError {
  const [issue] = error.issues;
  const path = issue?.path.join('.') ?? '';
  if (issue?.code === 'unrecognized_keys') return invalid(issue.keys[0] ?? path, 'there is no such field');
  return invalid(path || 'body', `allowed is ${issue?.message ?? 'another shape'}`);
}

function invalid(param: string, detail: string): GatewayError {
  return new GatewayError('invalid_parameter', { param, detail: `\`${param.slice(0, 100)}\`: ${detail}.` });
}
