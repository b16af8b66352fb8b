import type { CommandOutput } from '../with-database.ts';

/** A configuration of another gateway, read as plain data. */
export type Source = Readonly<Record<string, unknown>>;

/** What became of one of its settings that is not simply there. */
export interface ImportNote {
  /** As `model_list[0].litellm_params.rpm`. */
  readonly path: string;
  readonly message: string;
  /** A model, a key or a limit that clients would miss. */
  readonly isLoss: boolean;
}

/** Manifests that say the same as a configuration of another gateway, and what they do not say. */
export class Imported {
  readonly manifests: object[] = [];
  readonly notes: ImportNote[] = [];

  note(path: string, message: string): void {
    this.notes.push({ path, message, isLoss: false });
  }

  lost(path: string, message: string): void {
    this.notes.push({ path, message, isLoss: true });
  }

  /** Notes on what stands at the keys of a section: its words, and none for keys that are carried over. */
  noteKeys(section: unknown, path: string, known: Readonly<Record<string, string | undefined>>): void {
    for (const key of Object.keys(mapOf(section))) {
      if (Object.hasOwn(known, key)) {
        const words = known[key];
        if (words !== undefined) this.note(`${path}.${key}`, words);
      } else this.note(`${path}.${key}`, 'is not carried over: nothing here is known to do the same');
    }
  }

  tell({ error }: CommandOutput): void {
    for (const { path, message, isLoss } of this.notes) error(`${path}: ${isLoss ? 'LOST: ' : ''}${message}`);
  }

  get hasLosses(): boolean {
    return this.notes.some(({ isLoss }) => isLoss);
  }
}

/** An empty one where it is no map. */
export function mapOf(value: unknown): Source {
  return isMap(value) ? value : {};
}

export function isMap(value: unknown): value is Source {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** A text that is not empty; a number as its digits. */
export function textOf(value: unknown): string | undefined {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

export function numberOf(value: unknown): number | undefined {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}

/** A row of a table, by a key that a file names: `constructor` is no row. */
export function entryOf(table: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}

/** Without the keys whose value is undefined, which YAML would write as null. */
export function defined(entries: Readonly<Record<string, unknown>>): Source {
  return Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined));
}
