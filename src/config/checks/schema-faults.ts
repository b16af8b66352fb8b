import type { z } from 'zod';
import type { Manifest, Parsed } from '../documents/manifests.ts';
import { describe, type Fault, formatPath, formatPosition, type PathSegment, type Report } from '../fault.ts';
import type { ManifestKind } from '../kinds/manifest-kind.ts';
import { isSecretPath } from '../secret-names.ts';
import { discriminatorValues, remedyFor } from './remedies.ts';
import { takeUnknownKeys } from './unknown-keys.ts';

/** What a schema's own check may add to its message (which says what is allowed). */
export interface IssueExtra {
  code?: Fault['code'];
  message?: string;
  found?: string;
  remedy?: string;
}

/** The manifest in the form its kind's schema gives it; undefined where that is at fault. */
export function parseManifest(
  { type, schema }: ManifestKind,
  manifest: Manifest,
  report: Report,
): { value: unknown } | undefined {
  // All of our own kinds restrict: who comes in, what is served, how much is kept.
  const unknown = takeUnknownKeys(schema, manifest.data, manifest.document, type.startsWith('sluice/'));
  report.faults.push(...unknown.faults);
  report.warnings.push(...unknown.warnings);
  const result = parseWith(schema, manifest);
  if ('value' in result) return result;
  // A value that could not be put in was reported as that; what the schema says of the hole is noise.
  const missing = new Set(report.faults.filter((fault) => fault.code === 'missing-secret').map(formatPlace));
  report.faults.push(...result.faults.filter((fault) => !missing.has(formatPlace(fault))));
  return undefined;
}

function formatPlace(fault: Fault): string {
  return `${formatPosition(fault)} ${fault.path}`;
}

/** Runs a schema; its issues come back as faults with place, what was found and what is allowed. */
export function parseWith<T>(schema: z.ZodType<T>, parsed: Parsed): { value: T } | { faults: Fault[] } {
  const result = schema.safeParse(parsed.data, { error: allowedText });
  if (result.success) return { value: result.data };
  const faults = result.error.issues.flatMap((issue) => issueFaults(issue, parsed));
  // A value that breaks several rules is told once, by the first of them.
  const first = new Map(faults.toReversed().map((fault) => [fault.path, fault]));
  return { faults: faults.filter((fault) => first.get(fault.path) === fault) };
}

function issueFaults(issue: z.core.$ZodIssue, parsed: Parsed): Fault[] {
  const inner = issue.code === 'invalid_union' ? innerIssues(issue) : undefined;
  if (inner !== undefined) {
    return inner.flatMap((below) => issueFaults({ ...below, path: [...issue.path, ...below.path] }, parsed));
  }
  const path = issue.path.map((segment) => (typeof segment === 'symbol' ? String(segment) : segment));
  const value = valueAt(parsed.data, path);
  const shown = formatPath(path);
  const secret = isSecretPath(path);
  const outside = parsed.replaced.has(shown);
  const extra: IssueExtra = issue.code === 'custom' ? (issue.params ?? {}) : {};
  if (value === undefined && extra.message === undefined) {
    const place = parsed.document.locate(path.slice(0, -1));
    return [{ code: 'missing-key', ...place, path: shown, message: 'this key is missing', allowed: issue.message }];
  }
  return [
    {
      code: extra.code ?? 'invalid-value',
      ...parsed.document.locate(path),
      path: shown,
      message: extra.message ?? (issue.code === 'invalid_type' ? 'wrong type' : 'this value is not allowed'),
      found: extra.found ?? describe(value, secret || outside),
      allowed: issue.message,
      remedy: extra.remedy ?? remedyFor(issue, { value, key: String(path.at(-1) ?? ''), secret, outside }),
    },
  ];
}

/** Where members of a union share the type that was found, the one that got furthest says more than all together. */
function innerIssues(issue: z.core.$ZodIssueInvalidUnion): z.core.$ZodIssue[] | undefined {
  const deeper = issue.errors.filter((errors) => errors.every((error) => error.path.length > 0) && errors.length > 0);
  return deeper.sort((a, b) => a.length - b.length)[0];
}

function valueAt(data: unknown, path: readonly PathSegment[]): unknown {
  let value: unknown = data;
  for (const segment of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, segment)) return undefined;
    value = Reflect.get(value, segment);
  }
  return value;
}

const typeNames: Record<string, string> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: '`true` or `false`',
  object: 'a map',
  record: 'a map',
  array: 'a list',
  null: 'nothing',
};

/** Says what is allowed where the schema has no words of its own for it. */
function allowedText(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === 'invalid_type') return typeNames[issue.expected] ?? issue.expected;
  if (issue.code === 'invalid_value') return quoted(issue.values);
  if (issue.code === 'invalid_key') return issue.issues[0]?.message;
  if (issue.code !== 'invalid_union') return undefined;
  const values = discriminatorValues(issue);
  if (values.length > 0) return quoted(values);
  const members = (issue.errors ?? []).flatMap((errors) => errors.slice(0, 1).map((error) => error.message));
  return [...new Set(members)].join(' or ');
}

function quoted(values: readonly unknown[]): string {
  return values.map((value) => `\`${String(value)}\``).join(', ');
}
