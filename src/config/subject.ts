/**
 * Subjects as rules name them: `user:<e-mail>`, `team:<name>`, `virtualaccount:<name>`, with `*` for any characters, or
 * `*` alone. They are brought to one form here, so that everything behind compares letter by letter: e-mail addresses in
 * lower case (an issuer may write `Bob@Example.com`, a rule `bob@example.com`), and one word per kind.
 */
export const KIND_WORDS: Readonly<Record<string, string>> = {
  'virtual-account': 'virtualaccount',
  virtual_account: 'virtualaccount',
  serviceaccount: 'virtualaccount',
};

/** Kinds that can ever be somebody here; of another kind a rule is about nobody. */
export const SUBJECT_KINDS: ReadonlySet<string> = new Set(['user', 'team', 'virtualaccount']);

export function canonicalSubject(subject: string): string {
  const colon = subject.indexOf(':');
  if (colon < 0) return subject;
  const written = subject.slice(0, colon).toLowerCase();
  const kind = KIND_WORDS[written] ?? written;
  const name = subject.slice(colon + 1);
  return `${kind}:${kind === 'user' ? lowerCase(name) : name}`;
}

/**
 * E-mail addresses alike. The Kelvin sign is the one letter whose small form is a letter of ASCII: whoever can have an
 * address with it would otherwise be whoever has a `k` in its place.
 */
export function lowerCase(address: string): string {
  return address.replaceAll(/[^\u212a]+/g, (part) => part.toLowerCase());
}

export function subjectKind(subject: string): string | undefined {
  const colon = subject.indexOf(':');
  return colon < 0 ? undefined : subject.slice(0, colon);
}
