import type { Buffer } from 'node:buffer';
import type { JoinedHeaders } from '../core/header-lines.ts';
import type { CachedAnswer } from './cached-answer.ts';
import type { AnswerSource } from './flight.ts';
import { hitHeaders } from './hit-headers.ts';
import { piecesUntil, slicePieces } from './recording.ts';

/** An answer of the cache: all of it is there. */
export class StoredAnswer implements AnswerSource {
  readonly isWhole = true;
  readonly similarity: number | undefined;
  readonly replay: 'at-once' | 'paced';
  readonly #answer: CachedAnswer;
  readonly #isPaced: boolean;
  /** See `headersOf`. */
  #headers: JoinedHeaders | undefined;
  #headersTarget: string | undefined;
  /** See `hitJson`. */
  #hitJson = '';
  #hitRule: string | undefined;

  constructor(answer: CachedAnswer, replay: 'at-once' | 'paced', similarity?: number) {
    this.replay = replay;
    this.#answer = answer;
    this.similarity = similarity;
    this.#isPaced = replay === 'paced' && answer.about.stream;
  }

  /** How much memory it holds. */
  get bytes(): number {
    return this.#answer.bytes.buffer.byteLength;
  }

  get expiresAt(): number {
    return this.#answer.about.expiresAt;
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

  headersOf(target: string | undefined): JoinedHeaders {
    if (this.#headers === undefined || target !== this.#headersTarget) {
      this.#headers = hitHeaders(this, target);
      this.#headersTarget = target;
    }
    return this.#headers;
  }

  /** What the record of an exchange says that gets it because its request is equal. `rule`: which let it. */
  hitJson(rule: string | undefined): string {
    if (this.#hitJson === '' || rule !== this.#hitRule) {
      const from = { from: this.exchange, saved_nano_usd: this.nanoUsd };
      this.#hitJson = JSON.stringify({
        status: 'hit',
        type: 'exact-match',
        ...(rule !== undefined && { rule }),
        ...from,
      });
      this.#hitRule = rule;
    }
    return this.#hitJson;
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
