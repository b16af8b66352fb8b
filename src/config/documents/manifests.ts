import { dirname } from 'node:path';
import { nearNames } from '../../core/near-names.ts';
import type { Environment } from '../environment.ts';
import {
  cut,
  describe,
  didYouMean,
  type Fault,
  formatPath,
  type PathSegment,
  type Position,
  type Report,
} from '../fault.ts';
import { interpolate } from './interpolate.ts';
import { manifestFiles, readManifest } from './manifest-files.ts';
import { otherGateway } from './other-gateways.ts';
import { type YamlDocument, yamlDocuments } from './yaml-documents.ts';

/** A document, the data that is checked, and the paths whose text came from outside the file. */
export interface Parsed {
  document: YamlDocument;
  data: unknown;
  replaced: ReadonlySet<string>;
}

/** One document of a kind that is supported, with its secrets put in; its shape is not checked yet. */
export interface Manifest extends Parsed {
  type: string;
  /** Relative paths in it are relative to this one. */
  folder: string;
}

/** The kinds of manifest by name: those that are read, and those that exist elsewhere and are refused by name. */
export interface KindNames {
  readonly supported: ReadonlySet<string>;
  readonly toCome: ReadonlySet<string>;
}

/** Files → documents → manifests: everything that stands in these paths, in order; what is wrong goes into the report. */
export function readManifests(
  paths: readonly string[],
  kinds: KindNames,
  environment: Environment,
  report: Report,
  texts: ReadonlyMap<string, string>,
): Manifest[] {
  const found = manifestFiles(paths);
  report.files.push(...found.files);
  report.faults.push(...found.faults);
  report.warnings.push(...found.warnings);
  return found.files.flatMap((file) => {
    const source = texts.get(file) ?? readManifest(file);
    if (typeof source !== 'string') {
      report.faults.push(source);
      return [];
    }
    const { documents, faults } = yamlDocuments(source, file);
    report.faults.push(...faults);
    // Nothing but comments, or nothing between two `---`.
    const written = documents.filter(({ data }) => data !== null && data !== undefined);
    if (written.length === 0 && faults.length === 0) {
      const message = 'this file holds no manifest: it is empty, or all of it is comments';
      report.warnings.push({ code: 'suspicious-value', file, path: '', message });
    }
    return written.flatMap((document) => manifestOf(document, dirname(file), kinds, environment, report));
  });
}

function manifestOf(
  document: YamlDocument,
  folder: string,
  kinds: KindNames,
  environment: Environment,
  report: Report,
): Manifest[] {
  const type = kindOf(document, kinds);
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

function kindOf(document: YamlDocument, { supported, toCome }: KindNames): string | Fault {
  const { data } = document;
  if (typeof data !== 'object' || data === null || Array.isArray(data)) {
    const at = { ...document.locate([]), path: '' };
    return {
      code: 'invalid-value',
      ...at,
      message: 'a manifest is a map',
      found: describe(data, true),
      allowed: 'a map',
      remedy: typeof data === 'string' && /^[\w-]+:\S/.test(data) ? 'Put a blank behind the colon' : undefined,
    };
  }
  const at = { ...document.locate(['type']), path: 'type' };
  const type = 'type' in data ? data.type : undefined;
  const allowed = 'the kind of this manifest, as `sluice/server`';
  if (type === undefined || type === null) {
    const gateway = otherGateway(data);
    if (gateway !== undefined) {
      const message = `this is no manifest, but looks like a configuration of ${gateway}`;
      return { code: 'missing-key', ...at, message, remedy: '`sluice import FILE` prints manifests that say the same' };
    }
    const written = 'kind' in data ? 'kind' : nearNames('type', Object.keys(data))[0];
    const remedy = written && `Rename \`${cut(written)}\``;
    return { code: 'missing-key', ...at, message: 'this key is missing', allowed, remedy };
  }
  if (typeof type !== 'string') {
    return { code: 'invalid-value', ...at, message: 'wrong type', found: describe(type, false), allowed };
  }
  if (supported.has(type)) return type;
  if (toCome.has(type)) {
    const message = `the kind \`${type}\` is not supported yet`;
    return { code: 'unsupported', ...at, message, remedy: 'Take the document out; nothing in it would have an effect' };
  }
  const near = nearNames(type, new Set([...supported, ...toCome]));
  const remedy = didYouMean(near) ?? `Supported are ${likeKinds(type, supported).join(', ')}`;
  return { code: 'unknown-kind', ...at, message: `there is no kind \`${cut(type)}\``, remedy };
}

/** The kinds of the same family, where it has one. */
function likeKinds(type: string, supported: ReadonlySet<string>): string[] {
  const family = type.slice(0, type.indexOf('/') + 1);
  const alike = family === '' ? [] : [...supported].filter((kind) => kind.startsWith(family));
  return (alike.length > 0 ? alike : [...supported]).sort();
}

/** A document that stands in no file (command line, environment): all of it is at one place. */
export function parsedFrom(data: unknown, source: string): Parsed {
  const position: Position = { file: source };
  return { data, replaced: new Set(), document: { data, locate: () => position, locateKey: () => position } };
}

/** Something that is not wrong but has no effect, or hardly the one that was meant. */
export function warn(
  report: Report,
  manifest: Parsed,
  path: readonly PathSegment[],
  said: Pick<Fault, 'message' | 'found' | 'allowed' | 'remedy'>,
): void {
  report.warnings.push({ code: 'suspicious-value', ...positionOf(manifest, path), ...said });
}

export function positionOf(manifest: Parsed, path: readonly PathSegment[]): Position & { path: string } {
  return { ...manifest.document.locate(path), path: formatPath(path) };
}
