import { dirname } from 'node:path';
import type { z } from 'zod';
import { nearNames } from '../core/near-names.ts';
import type { Environment } from './environment.ts';
import { cut, didYouMean, type Fault, formatPath, formatPosition, type PathSegment, type Position } from './fault.ts';
import { interpolate } from './interpolate.ts';
import { knownKinds } from './known-kinds.ts';
import { manifestFiles, readManifest } from './manifest-files.ts';
import { describe, type Parsed, parseWith } from './schema-faults.ts';
import { takeUnknownKeys } from './unknown-keys.ts';
import { type YamlDocument, yamlDocuments } from './yaml-documents.ts';

/** One document of a kind that is supported, with its secrets put in; its shape is not checked yet. */
export interface Manifest extends Parsed {
  type: string;
  /** Relative paths in it are relative to this one. */
  folder: string;
}

/** Everything that is to be said about a configuration, gathered over all its files. */
export interface Report {
  faults: Fault[];
  warnings: Fault[];
  /** Every file that was read, those of `${file:}` too: a change of one is a change of the configuration. */
  files: string[];
}

export function readManifests(
  paths: readonly string[],
  supported: ReadonlySet<string>,
  environment: Environment,
  report: Report,
): Manifest[] {
  const found = manifestFiles(paths);
  report.files.push(...found.files);
  report.faults.push(...found.faults);
  report.warnings.push(...found.warnings);
  return found.files.flatMap((file) => {
    const source = readManifest(file);
    if (typeof source !== 'string') {
      report.faults.push(source);
      return [];
    }
    const { documents, faults } = yamlDocuments(source, file);
    report.faults.push(...faults);
    return documents.flatMap((document) => manifestOf(document, dirname(file), supported, environment, report));
  });
}

function manifestOf(
  document: YamlDocument,
  folder: string,
  supported: ReadonlySet<string>,
  environment: Environment,
  report: Report,
): Manifest[] {
  // Nothing but comments, or nothing between two `---`.
  if (document.data === null || document.data === undefined) return [];
  const type = kindOf(document, supported);
  if (typeof type !== 'string') {
    report.faults.push(type);
    return [];
  }
  const { data, replaced, files, faults, warnings } = interpolate(document, folder, environment);
  report.files.push(...files);
  report.faults.push(...faults);
  report.warnings.push(...warnings);
  return [{ document, data, replaced, type, folder }];
}

function kindOf(document: YamlDocument, supported: ReadonlySet<string>): string | Fault {
  const { data } = document;
  if (typeof data !== 'object' || data === null || Array.isArray(data)) {
    const at = { ...document.locate([]), path: '' };
    return {
      code: 'invalid-value',
      ...at,
      message: 'a manifest is a map',
      found: describe(data, true),
      allowed: 'a map',
    };
  }
  const at = { ...document.locate(['type']), path: 'type' };
  const type = 'type' in data ? data.type : undefined;
  const allowed = 'the kind of this manifest, as `sluice/server`';
  if (type === undefined || type === null)
    return { code: 'missing-key', ...at, message: 'this key is missing', allowed };
  if (typeof type !== 'string') {
    return { code: 'invalid-value', ...at, message: 'wrong type', found: describe(type, false), allowed };
  }
  if (supported.has(type)) return type;
  if (knownKinds.has(type)) {
    const message = `the kind \`${type}\` is not supported yet`;
    return { code: 'unsupported', ...at, message, remedy: 'Take the document out; nothing in it would have an effect' };
  }
  const near = nearNames(type, new Set([...supported, ...knownKinds]));
  const remedy = didYouMean(near) ?? `Supported are ${[...supported].sort().join(', ')}`;
  return { code: 'unknown-kind', ...at, message: `there is no kind \`${cut(type)}\``, remedy };
}

/** The manifest in the form its schema gives it; undefined where that is at fault. */
export function parseManifest<T>(schema: z.ZodType<T>, manifest: Parsed, report: Report): T | undefined {
  report.warnings.push(...takeUnknownKeys(schema, manifest.data, manifest.document));
  const result = parseWith(schema, manifest);
  if ('value' in result) return result.value;
  // A value that could not be put in was reported as that; what the schema says of the hole is noise.
  const missing = new Set(report.faults.filter((fault) => fault.code === 'missing-secret').map(formatPlace));
  report.faults.push(...result.faults.filter((fault) => !missing.has(formatPlace(fault))));
  return undefined;
}

/** A manifest and what its schema made of it. */
export interface Written<T> {
  readonly manifest: Manifest;
  readonly value: T;
}

/** All manifests of one kind that have no fault. */
export function parseKind<T>(
  type: string,
  schema: z.ZodType<T>,
  manifests: readonly Manifest[],
  report: Report,
): Written<T>[] {
  return manifests
    .filter((manifest) => manifest.type === type)
    .flatMap((manifest) => {
      const value = parseManifest(schema, manifest, report);
      return value === undefined ? [] : [{ manifest, value }];
    });
}

function formatPlace(fault: Fault): string {
  return `${formatPosition(fault)} ${fault.path}`;
}

/** A document that stands in no file (command line, environment): all of it is at one place. */
export function parsedFrom(data: unknown, source: string): Parsed {
  const position: Position = { file: source };
  return { data, replaced: new Set(), document: { data, locate: () => position, locateKey: () => position } };
}

/** Something that is not wrong but has no effect, or hardly the one that was meant. */
export function warn(
  report: Report,
  manifest: Manifest,
  path: readonly PathSegment[],
  said: Pick<Fault, 'message' | 'found' | 'allowed' | 'remedy'>,
): void {
  report.warnings.push({ code: 'suspicious-value', ...positionOf(manifest, path), ...said });
}

export function positionOf(manifest: Manifest, path: readonly PathSegment[]): Position & { path: string } {
  return { ...manifest.document.locate(path), path: formatPath(path) };
}
