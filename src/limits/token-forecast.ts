import { GenerationCache } from '../core/generation-cache.ts';
import type { Usage } from '../inference/usage.ts';

/** Models whose means are kept; an account that lists none has as many as its clients think of. */
const MOST_MODELS = 2_048;
/** One token for four bytes of JSON, and half a page of answer: true of no model, near enough for the first request. */
const FIRST_TOKENS_PER_BYTE = 0.25;
const FIRST_OUTPUT_TOKENS = 512;
/** A letter or a bill. */
const FIRST_PAGES = 2;
/** How much the latest exchange says; the first ones say more, and the very first stands in place of our guess. */
const WEIGHT = 0.05;
/** A body of images is all bytes and few tokens; until that was seen of a model, no prompt is taken for longer. */
const LONGEST_UNSEEN_PROMPT = 131_072;
/**
 * What bytes can be, whatever a provider tells: JSON of text has at most 16 bytes a token (letters written as escapes), a
 * prompt that names files and pictures at most 16 tokens a byte, and the largest picture or film has 8,192 bytes a token.
 */
const MIN_TOKENS_PER_TEXT_BYTE = 1 / 16;
const MIN_TOKENS_PER_BYTE = 1 / 8_192;
const MAX_TOKENS_PER_BYTE = 16;
/** A shorter body holds no picture: it is text, and costs what text costs. */
const MAX_TEXT_BYTES = 16_384;
/** Above it counts are no tokens any more: a limit must not lose its whole numbers to a client's `max_tokens: 1e300`. */
export const MOST_TOKENS = 2 ** 31;

/** What a request will probably use, learned from what others did: per relay thread, for reservations only. */
export class TokenForecast {
  readonly #models = new GenerationCache<ModelForecast>(MOST_MODELS);

  of(model: string): ModelForecast {
    let known = this.#models.get(model);
    if (known === undefined) {
      known = new ModelForecast();
      this.#models.set(model, known);
    }
    return known;
  }
}

export class ModelForecast {
  #tokensPerByte = FIRST_TOKENS_PER_BYTE;
  #prompts = 0;
  readonly #answers = new SpreadMean(FIRST_OUTPUT_TOKENS);
  readonly #documents = new SpreadMean(FIRST_PAGES);

  /** No answer of the model was seen: what it will be like is a guess, which alone must not refuse anybody. */
  get guesses(): boolean {
    return this.#answers.seen === 0;
  }

  /** The same of the pages of its documents. */
  get guessesPages(): boolean {
    return this.#documents.seen === 0;
  }

  promptTokens(bodyBytes: number): number {
    const tokens = Math.ceil(bodyBytes * Math.max(this.#tokensPerByte, leastPerByte(bodyBytes)));
    return this.#prompts === 0 ? Math.min(tokens, LONGEST_UNSEEN_PROMPT) : Math.min(tokens, MOST_TOKENS);
  }

  /** `most`: what the client allows each of its choices; undefined: it did not say. */
  outputTokens(most: number | undefined, choices = 1): number {
    const each = most !== undefined && most > 0 ? Math.ceil(most) : Math.ceil(this.#answers.held);
    return Math.min(each * choices, MOST_TOKENS);
  }

  /** `most`: what the client names of them; undefined: it did not say. */
  pages(most: number | undefined): number {
    return Math.min(most ?? Math.ceil(this.#documents.held), MOST_TOKENS);
  }

  learn(bodyBytes: number, { inputTokens, outputTokens, rare }: Usage, choices = 1): void {
    if (isCount(inputTokens) && bodyBytes > 0) {
      this.#prompts += 1;
      const told = Math.max(inputTokens / bodyBytes, leastPerByte(bodyBytes));
      this.#tokensPerByte += weight(this.#prompts) * (Math.min(told, MAX_TOKENS_PER_BYTE) - this.#tokensPerByte);
    }
    // Not every provider gives as many choices as it is asked for.
    if (isCount(outputTokens) && choices === 1) this.#answers.learn(outputTokens);
    if (rare !== undefined) {
      const pages = Math.max(rare.pages ?? 0, rare.annotatedPages ?? 0);
      if (pages > 0) this.#documents.learn(pages);
    }
  }
}

/** A mean, and how far from it what was seen is: held besides, so that some short ones do not make room for many long ones. */
class SpreadMean {
  seen = 0;
  #mean: number;
  #deviation = 0;

  constructor(first: number) {
    this.#mean = first;
  }

  get held(): number {
    return this.#mean + this.#deviation;
  }

  learn(count: number): void {
    this.seen += 1;
    // One alone says nothing of how they spread: twice as much is held.
    const away = this.seen === 1 ? count : Math.abs(count - this.#mean);
    this.#deviation += weight(this.seen) * (away - this.#deviation);
    this.#mean += weight(this.seen) * (count - this.#mean);
  }
}

function leastPerByte(bodyBytes: number): number {
  return bodyBytes <= MAX_TEXT_BYTES ? MIN_TOKENS_PER_TEXT_BYTE : MIN_TOKENS_PER_BYTE;
}

function weight(seen: number): number {
  return Math.max(WEIGHT, 1 / seen);
}

function isCount(tokens: number | undefined): tokens is number {
  return tokens !== undefined && tokens >= 0 && tokens <= MOST_TOKENS;
}
