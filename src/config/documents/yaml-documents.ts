// biome-ignore-all lint/suspicious/noTemplateCurlyInString: `${env:NAME}` is our own syntax, not a template
import { createRequire } from 'node:module';
import type { Document, LineCounter, ParsedNode, YAMLError } from 'yaml';
import type { Fault, PathSegment, Position } from '../fault.ts';

const load = createRequire(import.meta.url);
let library: typeof import('yaml') | undefined;

/** Loaded by the first file: a gateway without any is ready sooner. */
function yaml(): typeof import('yaml') {
  library ??= load('yaml') as typeof import('yaml');
  return library;
}

/** One YAML document as plain data, with the place of everything in it. The only door to the `yaml` package. */
export interface YamlDocument {
  data: unknown;
  /** The place of the value at this path; of the deepest part that exists where it does not. */
  locate(path: readonly PathSegment[]): Position;
  /** The place of the key itself. */
  locateKey(path: readonly PathSegment[]): Position;
}

/**
 * An alias may multiply what it names; nested ones do so exponentially. 1000 lets a list of a thousand entries share
 * one anchor; interpolate.ts bounds the total.
 */
const maxAliasCount = 1000;

/** The value of a document that is no manifest, such as one of OpenAPI. Undefined: it is not one document of YAML. */
export function plainYaml(source: string): unknown {
  try {
    return yaml().parse(source, { maxAliasCount, logLevel: 'error' });
  } catch {
    // The caller tells it, and names the place that the text came from.
    return undefined;
  }
}

/** Manifests as one text, with `---` between them. */
export function manifestsAsYaml(manifests: readonly object[]): string {
  const { stringify } = yaml();
  return manifests.map((manifest) => stringify(manifest, { lineWidth: 0, aliasDuplicateObjects: false })).join('---\n');
}

export function yamlDocuments(source: string, file: string): { documents: YamlDocument[]; faults: Fault[] } {
  const { LineCounter, parseAllDocuments } = yaml();
  const lines = new LineCounter();
  const documents: YamlDocument[] = [];
  const faults: Fault[] = [];
  try {
    const parsed = parseAllDocuments(source, {
      lineCounter: lines,
      prettyErrors: false,
      merge: true,
      // The library compares each key with all before it: a map of 20,000 keys took the calling thread seconds.
      uniqueKeys: false,
      logLevel: 'error',
    });
    for (const document of parsed) {
      // An unresolved tag is only a warning to the library; here the value would not be what was meant.
      const errors: YAMLError[] = [...document.errors, ...document.warnings, ...repeatedKeys(document.contents)];
      errors.sort((one, other) => one.pos[0] - other.pos[0]);
      // What follows on the same line follows from the first.
      const first = new Map(errors.toReversed().map((error) => [lines.linePos(error.pos[0]).line, error]));
      for (const error of errors) {
        if (first.get(lines.linePos(error.pos[0]).line) === error) faults.push(syntaxFault(error, file, lines, source));
      }
      if (errors.length === 0) convert(document, file, lines, documents, faults);
    }
  } catch (error) {
    faults.push(conversionFault(error, { file }));
  }
  return { documents, faults };
}

/** A text, number or the like, and where it stands in its file: offsets of the first character and behind the last. */
export interface WrittenScalar {
  readonly path: readonly PathSegment[];
  readonly value: unknown;
  readonly from: number;
  readonly to: number;
}

/** All scalars that are values, of all documents; undefined: it cannot be read as YAML. */
export function scalarsOf(source: string): WrittenScalar[] | undefined {
  const { parseAllDocuments, visit, isPair, isScalar, isSeq } = yaml();
  const found: WrittenScalar[] = [];
  const documents = parseAllDocuments(source, { prettyErrors: false, logLevel: 'error' });
  for (const document of documents) {
    if (document.errors.length > 0) return undefined;
    visit(document, {
      Scalar(key, node, ancestors) {
        if (key === 'key' || !node.range) return;
        const path: PathSegment[] = [];
        for (const [index, ancestor] of ancestors.entries()) {
          if (isPair(ancestor)) path.push(isScalar(ancestor.key) ? String(ancestor.key.value) : '');
          else if (isSeq(ancestor)) {
            const child: unknown = ancestors[index + 1] ?? node;
            path.push(ancestor.items.findIndex((item) => item === child));
          }
        }
        found.push({ path, value: node.value, from: node.range[0], to: node.range[1] });
      },
    });
  }
  return found;
}

const [MODE, FLOW_ERROR, SCALAR] = ['\u{2}', '\u{18}', '\u{1f}'];

/** Where comments stand, from their `#` to the end of the line. */
export function commentsOf(source: string): { readonly from: number; readonly to: number }[] {
  const { Lexer } = yaml();
  const found: { from: number; to: number }[] = [];
  let at = 0;
  let isScalar = false;
  for (const lexeme of new Lexer().lex(source)) {
    if (lexeme === MODE || lexeme === FLOW_ERROR || lexeme === SCALAR) {
      isScalar = lexeme === SCALAR;
      continue;
    }
    if (!isScalar && lexeme.startsWith('#')) found.push({ from: at, to: at + lexeme.length });
    isScalar = false;
    at += lexeme.length;
  }
  return found;
}

function convert(
  document: Document.Parsed,
  file: string,
  lines: LineCounter,
  documents: YamlDocument[],
  faults: Fault[],
): void {
  const position = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(1, line), column: Math.max(1, col) };
  };
  const start = document.contents?.range[0] ?? document.range[0];
  try {
    documents.push({
      data: document.toJS({ maxAliasCount }),
      locate: (path) => position(valueOffset(document, path) ?? start),
      locateKey: (path) => position(keyOffset(document, path) ?? start),
    });
  } catch (error) {
    faults.push(conversionFault(error, position(danglingAlias(document) ?? start)));
  }
}

/** Checks the keys of every map within a node, in one pass. Throws a RangeError where it is nested too deep. */
function repeatedKeys(root: unknown): YAMLError[] {
  const { isMap, isScalar, isSeq, YAMLParseError } = yaml();
  const found: YAMLError[] = [];
  const visit = (node: unknown): void => {
    if (isSeq(node)) for (const item of node.items) visit(item);
    if (!isMap(node)) return;
    const seen = new Set<unknown>();
    for (const { key, value } of node.items) {
      if (isScalar(key)) {
        const [from = 0, to = from] = key.range ?? [];
        if (seen.has(key.value)) found.push(new YAMLParseError([from, to], 'DUPLICATE_KEY', 'Map keys must be unique'));
        seen.add(key.value);
      } else visit(key);
      visit(value);
    }
  };
  visit(root);
  return found;
}

/** Where the first alias stands whose anchor is not there. */
function danglingAlias(document: Document.Parsed): number | undefined {
  let offset: number | undefined;
  const { visit } = yaml();
  visit(document, {
    Alias(_key, alias) {
      if (alias.resolve(document) !== undefined) return undefined;
      offset = alias.range?.[0];
      return visit.BREAK;
    },
  });
  return offset;
}

function valueOffset(document: Document.Parsed, path: readonly PathSegment[]): number | undefined {
  let node: unknown = document.contents;
  let offset = offsetOf(node);
  for (const segment of path) {
    node = step(document, node, segment)?.value;
    if (node === undefined) return offset;
    offset = offsetOf(node) ?? offset;
  }
  return offset;
}

function keyOffset(document: Document.Parsed, path: readonly PathSegment[]): number | undefined {
  const last = path.at(-1);
  let node: unknown = document.contents;
  for (const segment of path.slice(0, -1)) node = step(document, node, segment)?.value;
  const key = last === undefined ? undefined : step(document, node, last)?.key;
  return offsetOf(key) ?? valueOffset(document, path);
}

/** One level down; undefined where the key is absent or came in through a merge (`<<`). */
function step(
  document: Document.Parsed,
  node: unknown,
  segment: PathSegment,
): { key?: unknown; value: unknown } | undefined {
  const { isAlias, isMap, isScalar, isSeq } = yaml();
  const collection = isAlias(node) ? node.resolve(document) : node;
  if (isSeq(collection) && typeof segment === 'number') return { value: collection.items[segment] };
  if (!isMap(collection)) return undefined;
  let byKey = pairs.get(collection);
  if (byKey === undefined) {
    byKey = new Map();
    // From behind, so that of equal ones the first stays.
    for (const pair of collection.items.toReversed()) if (isScalar(pair.key)) byKey.set(String(pair.key.value), pair);
    pairs.set(collection, byKey);
  }
  return byKey.get(String(segment));
}

/** By key, of maps in which something was looked for. A document is never changed. */
const pairs = new WeakMap<object, Map<string, { key?: unknown; value: unknown }>>();

function offsetOf(node: unknown): number | undefined {
  return yaml().isNode(node) ? (node as ParsedNode).range?.[0] : undefined;
}

/** The library's own messages quote the source in these cases, and the source may be a secret. */
const ownMessages: Partial<Record<YAMLError['code'], string>> = {
  BAD_ALIAS: 'a value that begins with `*` is the alias of an anchor, and this is none',
  BAD_INDENT: 'this is indented in a way that belongs nowhere, or a bracket or brace before it is not closed',
  BAD_DQ_ESCAPE: 'a backslash sequence in a double-quoted text is not one of YAML',
  BAD_DIRECTIVE: 'this %-directive is not understood',
  DUPLICATE_KEY: 'this key stands twice in one map',
  IMPOSSIBLE: 'this is not understood',
  MISSING_CHAR: 'a character is missing: a comma between two entries, a bracket, a brace, a quote, or a blank',
  RESOURCE_EXHAUSTION: 'this is nested too deep',
  TAB_AS_INDENT: 'tabs must not be used to indent',
  TAG_RESOLVE_FAILED: 'a value that begins with `!` is a YAML tag, and this one is not known',
  UNEXPECTED_TOKEN: 'something stands here that does not belong here',
};

function syntaxFault(error: YAMLError, file: string, lines: LineCounter, source: string): Fault {
  const { line, col } = lines.linePos(error.pos[0]);
  const text = source.slice(lines.lineStarts[line - 1] ?? 0, lines.lineStarts[line] ?? source.length);
  const duplicate = error.code === 'DUPLICATE_KEY';
  return {
    code: duplicate ? 'duplicate' : 'syntax',
    file,
    line,
    column: col,
    path: '',
    message: ownMessages[error.code] ?? `not valid YAML: ${error.message}`,
    remedy: syntaxRemedy(error, text),
  };
}

function syntaxRemedy(error: YAMLError, line: string): string | undefined {
  if (error.code === 'DUPLICATE_KEY') {
    return /^type\s*:/.test(line) ? 'Put a line `---` between two manifests' : 'Keep one of the two';
  }
  if (error.code === 'TAB_AS_INDENT') return 'Indent with spaces';
  if (line.includes('${')) return 'Put values with `${…}` in double quotes';
  if (['TAG_RESOLVE_FAILED', 'BAD_SCALAR_START', 'BAD_ALIAS'].includes(error.code)) return 'Put the value in quotes';
  return undefined;
}

function conversionFault(error: unknown, position: Position): Fault {
  const base = { code: 'syntax' as const, ...position, path: '' };
  if (error instanceof RangeError) return { ...base, message: 'this is nested too deep' };
  if (error instanceof ReferenceError) {
    const bomb = error.message.startsWith('Excessive');
    return {
      ...base,
      message: bomb ? 'aliases multiply too often' : 'an alias (`*name`) names an anchor that does not stand before it',
      remedy: bomb ? undefined : 'Put a value that begins with `*` in quotes',
    };
  }
  return { ...base, message: 'a merge (`<<`) or alias is not understood', remedy: 'Write the value out' };
}
