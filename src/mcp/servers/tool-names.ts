import { GenerationCache } from '../../core/generation-cache.ts';

/** Names beyond it are not remembered: a server may list others with each page. */
const MAX_NAMES = 20_000;

/** The same for names that differ by case, by width, or by what nobody sees. */
export function alikeName(name: string): string {
  if (/^[\x21-\x7e]*$/.test(name)) return name.toLowerCase();
  return name
    .normalize('NFKC')
    .toLowerCase()
    .replaceAll(/[\p{C}\p{Z}]+/gu, '');
}

/**
 * Names that a server listed. One that is alike but another is no tool: a server that does not mind the difference would run
 * the tool that rules, limits and guards mean, and they would not know it.
 */
export class ToolNames {
  readonly #listed = new Map<string, Set<string>>();
  /** The names that were called last and are no mistake: nearly all calls are of few names. */
  readonly #right = new GenerationCache<true>(1_000);

  learn(names: readonly string[]): void {
    for (const name of names) {
      const alike = alikeName(name);
      const known = this.#listed.get(alike);
      if (known) known.add(name);
      else if (this.#listed.size < MAX_NAMES) this.#listed.set(alike, new Set([name]));
    }
  }

  /** Whether the name is not that of a tool, but alike. */
  isMistaken(name: string): boolean {
    if (this.#listed.size === 0 || this.#right.get(name)) return false;
    const known = this.#listed.get(alikeName(name));
    if (known?.has(name)) this.#right.set(name, true);
    return known !== undefined && !known.has(name);
  }
}
