import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { lastingMemory } from '../core/lasting-memory.ts';
import { mergeUsage, type Usage } from '../inference/usage.ts';

/** Raw answer bytes kept for an estimate: enough to learn bytes per token, little enough for 10,000 open streams. */
const SAMPLE_BYTES = 2_048;
/** Each takes some 20 µs: a storm of streams that began together is packed over several sweeps. */
const MAX_PACKED_A_SWEEP = 32;

let sweptAt = 0;
let packedThen = 0;

/**
 * What one exchange used, put together from partial counts as they pass. Where the provider says nothing, the first
 * bytes of the answer are there to estimate from.
 */
export class UsageMeter {
  /** Undefined until the provider said something. */
  usage: Usage | undefined;
  /** Bytes of the answer's body that were received from the provider. */
  answerBytes = 0;
  /** Characters of text that a translation took out of the answer. */
  translatedCharacters = 0;
  /** Content came behind the last count of output: there is more than was said. */
  #uncounted = false;
  #sample: Buffer = EMPTY;
  #sampleBytes = 0;
  /** The sample, compressed; then `#sample` is empty. */
  #packed: Buffer | undefined;

  add(usage: Usage): void {
    this.usage ??= {};
    mergeUsage(this.usage, usage);
    if (usage.outputTokens !== undefined) this.#uncounted = false;
  }

  /** What several answers used, each of which was looked at: their sum may be more than one answer's. */
  summed(usage: Usage): void {
    this.usage = usage;
  }

  /** A piece of content came. */
  content(): void {
    this.#uncounted = true;
  }

  /**
   * Whether the provider counted all output that came. Some say a first count when they begin (Anthropic: 1) and the
   * true one at the end: whoever leaves in between would pay for one token.
   */
  get countedOutput(): boolean {
    return this.usage?.outputTokens !== undefined && !this.#uncounted;
  }

  /** Counts what is kept whole elsewhere; `sampled` may follow. */
  received(chunk: Buffer): void {
    this.answerBytes += chunk.length;
  }

  /** The whole answer, after all, where it said nothing of usage. */
  sampled(answer: Buffer): void {
    this.#sample = answer;
    this.#sampleBytes = Math.min(SAMPLE_BYTES, answer.length);
  }

  /** Copies until the sample is full: a kept reference would pin the socket's whole read buffer. */
  passed(chunk: Buffer): void {
    this.answerBytes += chunk.length;
    if (this.#sampleBytes === SAMPLE_BYTES) return;
    // One buffer for all of it: a small one for each of the first chunks is half of what a meter costs.
    if (this.#sample === EMPTY) this.#sample = lastingMemory(SAMPLE_BYTES);
    this.#sampleBytes += chunk.copy(this.#sample, this.#sampleBytes);
  }

  /**
   * An answer that goes on for long keeps a seventh of events that are nearly alike. `now`: the same for all that one
   * sweep looks at.
   */
  pack(now: number): void {
    if (this.#sampleBytes < SAMPLE_BYTES || this.#sample.length !== SAMPLE_BYTES) return;
    if (now !== sweptAt) {
      sweptAt = now;
      packedThen = 0;
    }
    if (packedThen >= MAX_PACKED_A_SWEEP) return;
    packedThen += 1;
    const packed = deflateRawSync(this.#sample);
    this.#packed = lastingMemory(packed.length);
    packed.copy(this.#packed);
    this.#sample = EMPTY;
  }

  /** The first bytes of the answer, at most 2 KiB. */
  sample(): Buffer {
    if (this.#packed !== undefined) return inflateRawSync(this.#packed);
    return this.#sample.subarray(0, this.#sampleBytes);
  }
}

const EMPTY = Buffer.alloc(0);
