import { createHash } from 'node:crypto';
import { scalarsOf } from './documents/yaml-documents.ts';
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
/** What was commented out may be a secret as well. */
const COMMENTED = /(#.*?\b\w*(?:key|token|secret|password)\w*["']?\s*[:=]\s*)(\S.*)$/gim;
const PLACEHOLDER = /\(secret (\d+)\)/g;

/** Undefined: it is no YAML, so that nobody knows where its secrets are. */
export function shownText(source: string): ShownText | undefined {
  const scalars = scalarsOf(source);
  if (scalars === undefined) return undefined;
  const hidden: { readonly from: number; readonly to: number }[] = [];
  for (const { path, value, from, to } of scalars) if (isHidden(path, value)) hidden.push({ from, to });
  for (const match of source.matchAll(COMMENTED)) {
    const from = match.index + (match[1]?.length ?? 0);
    hidden.push({ from, to: from + (match[2]?.length ?? 0) });
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
  // Whatever authorises, by whatever name: but for the sort of it.
  if (path.includes('auth_data') && path.at(-1) !== 'type') return true;
  return isSecretPath(path) || ADDRESS.test(text);
}
