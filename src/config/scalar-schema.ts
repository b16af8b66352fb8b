import { z } from 'zod';

/**
 * The small schemas that every manifest is made of. Convention of all schemas here and in provider plugs: a custom
 * `error` text says what is *allowed* ("a whole number from 1 to 65535"); schema-faults.ts adds what was found, where,
 * and never shows a secret.
 *
 * A schema never changes, and hundreds of keys ask for the same few: each is made once, since one takes a kilobyte in
 * every thread for as long as the gateway lives.
 */

const optionals = new WeakMap<z.ZodType, unknown>();
const texts = new Map<number, ReturnType<typeof newText>>();
const secrets = new Map<number, ReturnType<typeof newSecretText>>();

/** An optional key may also be written with `null`; both read as undefined. */
export function optionalKey<T extends z.ZodType>(schema: T) {
  const make = () => schema.nullish().transform((value): z.output<T> | undefined => value ?? undefined);
  const known = optionals.get(schema) as ReturnType<typeof make> | undefined;
  if (known !== undefined) return known;
  const made = make();
  optionals.set(schema, made);
  return made;
}

/** An optional key with the value that stands in for an absent one; the value also stands in its metadata, for the docs. */
export function keyWithDefault<T extends z.ZodType>(schema: T, fallback: z.output<T>) {
  return schema
    .nullish()
    .transform((value): z.output<T> => (value === null || value === undefined ? fallback : value))
    .meta({ default: fallback });
}

/**
 * Marks a key whose absence opens what it closes, and all within it. A key that is near to it, by letters or by words, or
 * near to any key within, is taken for a misspelling and refuses the file (checks/unknown-keys.ts); so are the other names
 * that people give it.
 */
export function restricting<T extends z.ZodType>(schema: T, otherNames: readonly string[] = []): T {
  return schema.meta({ restricting: 'within', otherNames });
}

/** Marks such a key alone, for what is near by letters: what stands within it is judged for itself. */
export function restrictingKey<T extends z.ZodType>(schema: T, otherNames: readonly string[] = []): T {
  return schema.meta({ restricting: 'key', otherNames });
}

export function wholeNumber(least: number, most: number) {
  const error = `a whole number from ${least} to ${most}`;
  return z.int({ error }).check(z.gte(least, { error }), z.lte(most, { error }));
}

/** A rate or price: zero or more, finite. */
export function amount() {
  const error = 'a number, 0 or more';
  return z.number({ error }).min(0, { error });
}

// A control character in a credential or a header value would end the header line at the provider.
const plainText = /^[^\x00-\x08\x0a-\x1f\x7f]*$/;

/** One line of text, not empty. */
export function text(longest = 4096): ReturnType<typeof newText> {
  return madeOnce(texts, longest, newText);
}

function newText(longest: number) {
  const error = `one line of text, 1 to ${longest} characters, without control characters`;
  return z
    .string({ error })
    .check(z.minLength(1, { error }), z.maxLength(longest, { error }), z.regex(plainText, { error }));
}

function madeOnce<T>(known: Map<number, T>, longest: number, make: (longest: number) => T): T {
  const made = known.get(longest) ?? make(longest);
  known.set(longest, made);
  return made;
}

/** As text; faults never show it. Surrounding white space is nearly always a copying accident and is refused. */
export function secretText(longest = 65_536): ReturnType<typeof newSecretText> {
  return madeOnce(secrets, longest, newSecretText);
}

function newSecretText(longest: number) {
  const error = `one line of text, 1 to ${longest} characters, without control characters`;
  return z
    .string({ error })
    .refine((value) => value === value.trim(), { error: 'a secret without white space around it', abort: true })
    .min(1, { error })
    .max(longest, { error })
    .regex(plainText, { error })
    .refine((value) => /^[\x20-\xff]*$/.test(value), { error: 'characters that a header can carry (Latin-1)' });
}

const ENDPOINT_PATH = /\/(chat\/completions|completions|embeddings|responses|messages)\/*$/;

/**
 * An http(s) address to call, without user, query and fragment; a slash at its end is taken off. One that ends with the
 * path of an endpoint is refused: the path would stand there twice. Misspelt, requests and credential would go elsewhere.
 */
export function baseUrl() {
  const error = 'an http:// or https:// address without user name, query and fragment';
  const address = z
    .string({ error })
    .superRefine((value, context) => {
      if (isBaseUrl(value)) {
        const [path] = ENDPOINT_PATH.exec(value) ?? [];
        if (path === undefined) return;
        const message = 'the address that stands before the path of an endpoint, as `https://api.example.com/v1`';
        const params = {
          message: 'this is the address of an endpoint, whose path is added to it again',
          remedy: `Leave \`${path.replace(/\/+$/, '')}\` out`,
        };
        context.addIssue({ code: 'custom', message, params });
        return;
      }
      const params =
        !value.includes('://') && isBaseUrl(`https://${value}`) ? { remedy: 'Put `https://` before it' } : {};
      context.addIssue({ code: 'custom', message: error, params });
    })
    .transform((value) => value.replace(/\/+$/, ''));
  return restricting(address, ['endpoint', 'host']);
}

function isBaseUrl(value: string): boolean {
  if (value.length > 2048 || value !== value.trim() || !URL.canParse(value)) return false;
  const url = new URL(value);
  const schemeIsHttp = url.protocol === 'http:' || url.protocol === 'https:';
  return schemeIsHttp && url.username === '' && url.password === '' && !value.includes('?') && !value.includes('#');
}

/** An HTTP proxy to reach providers through, or `none`. It may hold a password and is not shown. */
export function proxyAddress() {
  const error = '`none`, or an address as `http://user:password@proxy.example.com:3128`';
  return z.string({ error }).superRefine((value, context) => {
    if (value === 'none' || isProxy(value)) return;
    const params = { found: value.includes('@') ? 'an address (not shown)' : undefined };
    context.addIssue({ code: 'custom', message: error, params });
  });
}

export function isProxy(value: string): boolean {
  if (value.length > 2048 || value !== value.trim() || !URL.canParse(value)) return false;
  const { protocol, pathname, search, hash } = new URL(value);
  return (protocol === 'http:' || protocol === 'https:') && pathname === '/' && search === '' && hash === '';
}

const headerName = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/;

/** Request headers that an account configures, as name to value. */
export function headerMap() {
  return z.record(
    z.string().regex(headerName, { error: 'a header name: letters, digits and dashes' }),
    z
      .string({ error: 'one line of text' })
      .max(16_384, { error: 'at most 16384 characters' })
      .regex(/^[\t\x20-\x7e\x80-\xff]*$/, { error: 'one line of text that a header can carry' }),
  );
}
