/** Where in a file; line and column count from 1. A fault of a whole file (or of none) has neither. */
export interface Position {
  file: string;
  line?: number;
  column?: number;
}

export type FaultCode =
  | 'unreadable'
  | 'syntax'
  | 'unknown-kind'
  | 'unsupported'
  | 'missing-key'
  | 'invalid-value'
  | 'duplicate'
  | 'missing-secret'
  | 'unknown-key'
  // only ever warnings:
  | 'literal-secret'
  | 'suspicious-value'
  | 'restart-needed';

/** A fault of a configuration, told so that a person can mend it without asking. Never holds a secret's value. */
export interface Fault extends Position {
  code: FaultCode;
  /** YAML path inside the document, as `integrations[0].model_id`; empty for the document itself. */
  path: string;
  message: string;
  found?: string;
  allowed?: string;
  remedy?: string;
}

/** Everything that is to be said about a configuration, gathered over all its files. */
export interface Report {
  faults: Fault[];
  warnings: Fault[];
  /** Every file that was read, those of `${file:}` too: a change of one is a change of the configuration. */
  files: string[];
}

export type PathSegment = string | number;

export function formatPath(path: readonly PathSegment[]): string {
  let written = '';
  for (const segment of path) {
    if (typeof segment === 'number') written += `[${segment}]`;
    else if (/^[\w-]+$/.test(segment)) written += written === '' ? segment : `.${segment}`;
    else written += `[${JSON.stringify(cut(segment))}]`;
  }
  return written;
}

export function formatPosition(position: Position): string {
  if (position.line === undefined) return position.file;
  return `${position.file}:${position.line}:${position.column ?? 1}`;
}

/** `file:line:column path: message — found X; allowed: Y. Remedy`, on one line. */
export function formatFault(fault: Fault): string {
  const place = fault.path === '' ? formatPosition(fault) : `${formatPosition(fault)} ${fault.path}`;
  const facts: string[] = [];
  if (fault.found !== undefined) facts.push(`found ${fault.found}`);
  if (fault.allowed !== undefined) facts.push(`allowed: ${fault.allowed}`);
  const why = facts.length === 0 ? '' : ` — ${facts.join('; ')}`;
  const remedy = fault.remedy === undefined ? '' : `. ${fault.remedy}`;
  return `${place}: ${fault.message}${why}${remedy}`;
}

const longestShown = 60;

/** A name or value as it may stand in a message. */
export function cut(shown: string): string {
  return shown.length <= longestShown ? shown : `${shown.slice(0, longestShown)}…`;
}

/** " Did you mean `x`?" as a remedy; undefined where no name is near. */
export function didYouMean(names: readonly string[]): string | undefined {
  if (names.length === 0) return undefined;
  return `Did you mean ${names.map((name) => `\`${name}\``).join(' or ')}?`;
}

/** What was found, in words; of a secret only that there is one. */
export function describe(value: unknown, hidden: boolean): string {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object') return 'a map';
  if (hidden)
    return value === '' ? 'an empty text' : `a ${typeof value === 'string' ? 'text' : typeof value} (not shown)`;
  if (typeof value === 'string') return value === '' ? 'an empty text' : `the text ${JSON.stringify(cut(value))}`;
  return String(value);
}
