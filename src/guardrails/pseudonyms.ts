import { type Recogniser, recogniser } from './scan/recogniser.ts';
import { RecogniserSet } from './scan/token-scan.ts';

/** Values of one exchange that a model gets placeholders for; further ones are taken out for good. */
const MAX_PSEUDONYMS = 10_000;

/** Which placeholder stands for which value, in one exchange: a value has the same one wherever it stands. */
export class PseudonymBook {
  readonly #placeholders = new Map<string, string>();
  readonly #values = new Map<string, string>();
  #set: RecogniserSet | undefined;

  get isEmpty(): boolean {
    return this.#values.size === 0;
  }

  placeholder(category: string, value: string): string {
    const known = this.#placeholders.get(value);
    if (known !== undefined) return known;
    if (this.#values.size >= MAX_PSEUDONYMS) return `[${category}]`;
    const made = `<${category.replace(/[^A-Za-z]/g, '')}_${this.#values.size + 1}>`;
    this.#placeholders.set(value, made);
    this.#values.set(made, value);
    return made;
  }

  /** Each value with its placeholder. */
  get values(): readonly (readonly [value: string, placeholder: string])[] {
    return [...this.#placeholders];
  }

  valueOf(placeholder: string): string | undefined {
    return this.#values.get(placeholder);
  }

  /** What finds the placeholders of this exchange, and no others. */
  get placeholders(): RecogniserSet {
    this.#set ??= new RecogniserSet([this.#recogniser()]);
    return this.#set;
  }

  #recogniser(): Recogniser {
    return recogniser('placeholder', '<[A-Za-z]{1,48}_\\d{1,5}>', { accepts: (text) => this.#values.has(text) });
  }
}
