import { createHash } from 'node:crypto';
import { commentsOf, scalarsOf } from './documents/yaml-documents.ts';
import type { PathSegment } from './fault.ts';
import { isSecretPath } from './secret-names.ts';

/** A file of the configuration as people may see it. */
export interface ShownText {
  /** With `(secret N)` in the place of each secret. */
  readonly text: string;
  /** What stands in the file there, by N - 1. */
  readonly secrets: readonly string[];
}

/** `${env:NAME}` and `${file:PATH}` name a secret and hold none. */
const REFERENCE = /^\$\{(?:env|file):[^}]*\}$/;
/** A password in an address. */
const ADDRESS = /\/\/[^/\s]*:[^/\s]*@/;
/** What was commented out may be a secret as well: a comment is hidden that speaks of one, or holds what looks like one. */
const SUSPICIOUS = /key|token|secret|password|authorization|bearer|credential|[\w+/=.-]{16}/i;
/** Whatever stands within: names of headers, variables and arguments tell nothing for certain. */
const HIDDEN_WITHIN = new Set(['auth_data', 'headers', 'additional_headers', 'headers_override', 'env', 'args']);
const PLACEHOLDER = /\(secret (\d+)\)/g;

/** Undefined: it is no YAML, so that nobody knows where its secrets are. */
export function shownText(source: string): ShownText | undefined {
  const scalars = scalarsOf(source);
  if (scalars === undefined) return undefined;
  const hidden: { readonly from: number; readonly to: number }[] = [];
  for (const { path, value, from, to } of scalars) if (isHidden(path, value)) hidden.push({ from, to });
  for (const { from, to } of commentsOf(source)) {
    if (SUSPICIOUS.test(source.slice(from, to))) hidden.push({ from: from + 1, to });
  }
  hidden.sort((one, other) => one.from - other.from);
  const secrets: string[] = [];
  let text = '';
  let at = 0;
  for (const { from, to } of hidden) {
    // A comment that stands inside of a text that is hidden already.
    if (from < at) continue;
    const secret = source.slice(from, to);
    secrets.push(secret.trimEnd());
    text += `${source.slice(at, from)}(secret ${secrets.length})`;
    at = from + secret.trimEnd().length;
  }
  return { text: text + source.slice(at), secrets };
}

/** With the secrets of the file put back; a text: what cannot be. */
export function writtenText(edited: string, secrets: readonly string[]): { readonly text: string } | string {
  let unknown: string | undefined;
  const text = edited.replaceAll(PLACEHOLDER, (placeholder, number: string) => {
    const secret = secrets[Number(number) - 1];
    if (secret === undefined) unknown = placeholder;
    return secret ?? placeholder;
  });
  return unknown === undefined
    ? { text }
    : `There is no ${unknown} in the file: write the new one as \`\${env:NAME}\`.`;
}

/** Tells a file from what it becomes. */
export function versionOf(source: string): string {
  return createHash('sha256').update(source).digest('base64url').slice(0, 22);
}

function isHidden(path: readonly PathSegment[], value: unknown): boolean {
  if (value === null || value === undefined || value === '') return false;
  const text = String(value);
  if (REFERENCE.test(text)) return false;
  if (path.at(-1) !== 'type' && path.some((segment) => HIDDEN_WITHIN.has(String(segment)))) return true;
  return isSecretPath(path) || ADDRESS.test(text);
}
