import { readFile, rename, writeFile } from 'node:fs/promises';
import type { Log } from '../core/log.ts';
import { reasonOf, systemCode } from '../store/store-fault.ts';

/** Changes that come so close to each other are written together. */
const WRITE_AFTER_MS = 200;

/** A file of the data folder that is read once and written whole, each time beside the old one and then in its place. */
export class PinsFile {
  readonly #path: string;
  readonly #log: Log;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #text: (() => string) | undefined;

  constructor(path: string, log: Log) {
    this.#path = path;
    this.#log = log;
  }

  /** Undefined: there is none. */
  async read(): Promise<string | undefined> {
    try {
      return await readFile(this.#path, 'utf8');
    } catch (error) {
      // Without it each tool is new; a gateway that does not start would be worse.
      if (systemCode(error) !== 'ENOENT') this.#log.error({ path: this.#path, error }, 'a file cannot be read');
      return undefined;
    }
  }

  write(text: () => string): void {
    this.#text = text;
    this.#timer ??= setTimeout(() => void this.flush(), WRITE_AFTER_MS);
  }

  /** Resolves when all is written that was to be. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const text = this.#text;
    this.#text = undefined;
    if (text) this.#writing = this.#writing.then(() => this.#put(text()));
    return this.#writing;
  }

  async #put(text: string): Promise<void> {
    const draft = `${this.#path}.tmp`;
    try {
      await writeFile(draft, text, { mode: 0o600 });
      await rename(draft, this.#path);
    } catch (error) {
      this.#log.error({ path: this.#path, reason: reasonOf(error) }, 'a file cannot be written');
    }
  }
}
