import { isSecretHeader } from '../../config/secret-names.ts';

/** What stands in the place of a secret. */
const REDACTED = '[redacted]';
/** Providers quote the beginning of a key; a shorter one is no more than its kind (`sk-`). */
const MIN_PREFIX_CHARACTERS = 8;
/** A shorter secret is a word that stands anywhere. */
const MIN_SECRET_CHARACTERS = 4;
/** `Bearer KEY`, `Basic …`, `Token …` */
const SCHEME = /^[A-Za-z-]{3,20} +(?=\S)/;
/** An opaque value, under whatever name: long, without spaces, letters and digits mixed. */
const OPAQUE = /^(?=.*\d)(?=.*[A-Za-z])[\w.+/=~:-]{16,}$/;

/** The secrets in flat name-value pairs: what must not be read back to anybody. */
export function secretsOf(headers: readonly string[]): string[] {
  const secrets: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const value = headers[i + 1]!;
    const bare = value.replace(SCHEME, '');
    if (!isSecretHeader(headers[i]!) && !OPAQUE.test(bare)) continue;
    secrets.push(bare);
    if (/^basic /i.test(value)) secrets.push(passwordOf(bare));
  }
  return secrets;
}

/** Takes secrets, and beginnings of them, out of a text; how they are written in JSON and in addresses as well. */
export function redaction(secrets: readonly string[]): (words: string) => string {
  const written = secrets
    .filter((secret) => secret.length >= MIN_SECRET_CHARACTERS)
    .flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)]);
  const byBeginning = Map.groupBy(new Set(written), (each) => each.slice(0, MIN_PREFIX_CHARACTERS));
  // A secret that holds another one goes first.
  const sought = [...byBeginning].sort(([, one], [, other]) => longest(other) - longest(one));
  return (words) => sought.reduce((text, [beginning, same]) => without(text, beginning, same), words);
}

/** `secrets` all begin with `beginning`; where it stands, as much is taken out as is equal to one of them. */
function without(words: string, beginning: string, secrets: readonly string[]): string {
  let at = words.indexOf(beginning);
  if (at < 0) return words;
  let clean = '';
  let from = 0;
  while (at >= 0) {
    const length = Math.max(...secrets.map((secret) => equalCharacters(words, at, secret)));
    clean += words.slice(from, at) + REDACTED;
    from = at + length;
    at = words.indexOf(beginning, from);
  }
  return clean + words.slice(from);
}

function equalCharacters(words: string, at: number, secret: string): number {
  let length = 0;
  while (length < secret.length && words[at + length] === secret[length]) length += 1;
  return length;
}

function longest(texts: readonly string[]): number {
  return Math.max(...texts.map(({ length }) => length));
}

function passwordOf(encoded: string): string {
  const pair = Buffer.from(encoded, 'base64').toString();
  return pair.slice(pair.indexOf(':') + 1);
}
