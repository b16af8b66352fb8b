import { createRequire } from 'node:module';
import type { RE2JS } from 're2js';
import { longestMatch, programOf } from './program.ts';

/** One thing that is looked for in text. */
export interface Recogniser {
  /** The kind that is found, in a word: `email`. Records name the kind, never the text that was found. */
  readonly name: string;
  readonly pattern: RE2JS;
  /** The most UTF-16 units that a match has; Infinity: nobody knows. A longer one is taken up to here. */
  readonly maxCharacters: number;
  /** What stands in its place where it is taken out. */
  readonly replacement: string;
  /** The guard that looks for it, where several are put together. */
  readonly owner?: object;
  /** What a pattern cannot say: a check digit, a range. Absent: each match is one. */
  accepts?(match: string): boolean;
}

const load = createRequire(import.meta.url);
/** A reload compiles what is new alone; those of all presets take a tenth of a second. */
const compiled = new Map<string, RE2JS>();
const MAX_COMPILED = 2_048;
let re2: typeof import('re2js') | undefined;

export interface PatternOptions {
  readonly ignoreCase?: boolean;
}

/** A recogniser whose bound is that of its pattern, where it has one. */
export function recogniser(
  name: string,
  pattern: string,
  about: Partial<Omit<Recogniser, 'name' | 'pattern'>> & PatternOptions = {},
): Recogniser {
  const { ignoreCase = false, ...given } = about;
  const program = compilePattern(pattern, { ignoreCase });
  const longest = longestMatch(programOf(program));
  const maxCharacters = Math.min(given.maxCharacters ?? longest, longest);
  return { replacement: '[REDACTED]', ...given, name, pattern: program, maxCharacters };
}

/** In linear time, whatever the pattern. Throws where it is none, with words for people. */
export function compilePattern(pattern: string, { ignoreCase = false }: PatternOptions = {}): RE2JS {
  const key = `${ignoreCase}${pattern}`;
  const known = compiled.get(key);
  if (known !== undefined) return known;
  // Loaded with the first pattern: a gateway without guardrails is ready sooner.
  re2 ??= load('re2js') as typeof import('re2js');
  const made = re2.RE2JS.compile(pattern, ignoreCase ? re2.RE2JS.CASE_INSENSITIVE : 0);
  if (compiled.size >= MAX_COMPILED) compiled.clear();
  compiled.set(key, made);
  return made;
}
