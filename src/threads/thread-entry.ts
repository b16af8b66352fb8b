/** The entry of a thread's code in `src/`, by its path without an ending: `.ts` in a clone, `.js` in the published package. */
export function threadEntry(path: string): URL {
  return new URL(`../${path}.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url);
}
