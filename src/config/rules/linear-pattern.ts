import { createRequire } from 'node:module';

type Re2 = typeof import('re2js');

let loaded: Re2 | undefined;

/** The package is loaded with the first pattern. */
function re2(): Re2 {
  loaded ??= createRequire(import.meta.url)('re2js') as Re2;
  return loaded;
}

/** A pattern of RE2: what it takes grows with the text alone, whatever the pattern is. */
export interface LinearPattern {
  replaceAll(text: string, replacement: string): string;
}

/** Throws an Error that says what is wrong with it. */
export function linearPattern(pattern: string): LinearPattern {
  const compiled = re2().RE2JS.compile(pattern);
  return {
    // As a function: `$` in a text would mean a group.
    replaceAll: (text, replacement) => compiled.matcher(text).replaceAll(() => replacement),
  };
}

/** Why it cannot be used; undefined: it can. */
export function patternFault(pattern: string): string | undefined {
  try {
    const compiled = linearPattern(pattern);
    return compiled.replaceAll('', 'x') === '' ? undefined : 'it finds the empty text, which is everywhere';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
