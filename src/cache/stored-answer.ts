import type { Buffer } from 'node:buffer';
import type { CachedAnswer } from './cached-answer.ts';
import type { AnswerSource } from './flight.ts';
import { piecesUntil, slicePieces } from './recording.ts';

/** An answer of the cache: all of it is there. */
export class StoredAnswer implements AnswerSource {
  readonly isWhole = true;
  readonly similarity: number | undefined;
  readonly #answer: CachedAnswer;
  readonly #isPaced: boolean;

  constructor(answer: CachedAnswer, replay: 'at-once' | 'paced', similarity?: number) {
    this.#answer = answer;
    this.similarity = similarity;
    this.#isPaced = replay === 'paced' && answer.about.stream;
  }

  get contentType(): string {
    return this.#answer.about.contentType;
  }

  get isStream(): boolean {
    return this.#answer.about.stream;
  }

  get target(): string {
    return this.#answer.about.target;
  }

  get exchange(): string {
    return this.#answer.about.exchange;
  }

  get pieces(): number {
    return this.#answer.ends.length;
  }

  get nanoUsd(): number | undefined {
    return this.#answer.about.nanoUsd;
  }

  get storedAt(): number {
    return this.#answer.about.storedAt;
  }

  until(from: number, maxBytes: number, elapsedMs: number): number {
    return piecesUntil(this.#answer, from, maxBytes, this.#isPaced ? elapsedMs : Number.POSITIVE_INFINITY);
  }

  slice(from: number, to: number): Buffer {
    return slicePieces(this.#answer, from, to);
  }

  leave(): void {}
}
