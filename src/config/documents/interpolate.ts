// biome-ignore-all lint/suspicious/noTemplateCurlyInString: `${env:NAME}` is our own syntax, not a template
import { resolve } from 'node:path';
import { nearNames } from '../../core/near-names.ts';
import type { Environment } from '../environment.ts';
import { didYouMean, type Fault, formatPath, type PathSegment } from '../fault.ts';
import { isSecretPath } from '../secret-names.ts';
import { readText } from './manifest-files.ts';
import type { YamlDocument } from './yaml-documents.ts';

/** Bounds against aliases that multiply or contain themselves. */
const maxDepth = 64;
const maxNodes = 1_000_000;
const maxFileBytes = 1024 * 1024;

export interface Interpolated {
  data: unknown;
  /** Formatted paths of the values that something was put into: their text came from outside and is never shown. */
  replaced: Set<string>;
  /** Files read for `${file:}`. */
  files: string[];
  faults: Fault[];
  warnings: Fault[];
}

/**
 * Copies a document and replaces `${env:NAME}` and `${file:PATH}` in its string values; keys stay as they are. What was
 * put in is not looked at again, so a secret may hold `${` itself. `$${` stands for a literal `${`. A relative PATH is
 * relative to the folder of the manifest; of the content one line end at the end is taken off.
 */
export function interpolate(document: YamlDocument, folder: string, environment: Environment): Interpolated {
  const result: Interpolated = { data: undefined, replaced: new Set(), files: [], faults: [], warnings: [] };
  let nodes = 0;
  let tooMany = false;

  const visit = (value: unknown, path: PathSegment[]): unknown => {
    nodes += 1;
    if (nodes > maxNodes || path.length > maxDepth) {
      tooMany = true;
      return undefined;
    }
    if (typeof value === 'string') return text(value, path);
    if (Array.isArray(value)) return value.map((item, index) => visit(item, [...path, index]));
    if (typeof value !== 'object' || value === null || !isPlainMap(value)) return value;
    // fromEntries defines keys, where an assignment to `__proto__` would change the object itself.
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, visit(item, [...path, key])]));
  };

  const text = (value: string, path: PathSegment[]): string => {
    const context: Reference = { document, folder, environment, path, result };
    const written = value.replace(/\$?\$\{([^{}]*)(\}?)/g, (whole, reference: string, closed: string) =>
      whole.startsWith('$$') ? whole.slice(1) : (valueFor(reference, closed === '}', context) ?? whole),
    );
    if (holdsSecret(path, value) && !result.replaced.has(formatPath(path))) {
      result.warnings.push({
        ...faultAt(context, 'literal-secret', 'a secret stands literally in this file'),
        remedy: 'Keep it out of the file: "${env:NAME}" or "${file:PATH}"',
      });
    }
    return written;
  };

  result.data = visit(document.data, []);
  if (tooMany) {
    const message = `more than ${maxNodes} values, or nested deeper than ${maxDepth}`;
    result.faults.push({ code: 'syntax', ...document.locate([]), path: '', message });
  }
  return result;
}

/** By its key, or as the password in an address: `postgres://user:password@host`. */
function holdsSecret(path: readonly PathSegment[], value: string): boolean {
  return (isSecretPath(path) && value !== '') || /^[a-z][a-z0-9+.-]*:\/\/[^/@\s]*:[^/@\s]+@/i.test(value);
}

interface Reference {
  document: YamlDocument;
  folder: string;
  environment: Environment;
  path: PathSegment[];
  result: Interpolated;
}

function valueFor(reference: string, closed: boolean, context: Reference): string | undefined {
  const [, source, name] = /^(env|file):(.*)$/s.exec(reference) ?? [];
  if (source === undefined || name === undefined) {
    if (closed && /^[A-Za-z_][\w:.-]*$/.test(reference)) warnOfLookalike(reference, context);
    return undefined;
  }
  // Also where it fails: what stands around it is a part of a secret.
  context.result.replaced.add(formatPath(context.path));
  if (!closed || name === '') {
    const fault = faultAt(context, 'missing-secret', `\`\${${source}:\` is not complete`);
    context.result.faults.push({ ...fault, allowed: `\`\${${source}:${source === 'env' ? 'NAME' : 'PATH'}}\`` });
    return undefined;
  }
  return source === 'env' ? fromEnvironment(name, context) : fromFile(name, context);
}

function fromEnvironment(name: string, context: Reference): string | undefined {
  const value = Object.hasOwn(context.environment, name) ? context.environment[name] : undefined;
  if (value !== undefined) return value;
  const fault = faultAt(context, 'missing-secret', `the environment variable ${name} is not set`);
  const near = didYouMean(nearNames(name, Object.keys(context.environment)));
  context.result.faults.push({
    ...fault,
    remedy: near ?? 'Set it where the gateway is started, or in a file of --dotenv',
  });
  return undefined;
}

function fromFile(name: string, context: Reference): string | undefined {
  const file = resolve(context.folder, name);
  const read = readText(file, maxFileBytes);
  context.result.files.push(file);
  if ('text' in read) return read.text.replace(/\r?\n$/, '');
  context.result.faults.push(faultAt(context, 'missing-secret', `cannot read the file ${name}: ${read.reason}`));
  return undefined;
}

function warnOfLookalike(reference: string, context: Reference): void {
  const shown = isSecretPath(context.path) ? '`${…}`' : `\`\${${reference}}\``;
  context.result.warnings.push({
    ...faultAt(context, 'suspicious-value', `${shown} is left as it is`),
    allowed: '`${env:NAME}`, `${file:PATH}`, or `$${` for a literal `${`',
  });
}

function faultAt(context: Reference, code: Fault['code'], message: string): Fault {
  return { code, ...context.document.locate(context.path), path: formatPath(context.path), message };
}

function isPlainMap(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
