import { createHash } from 'node:crypto';

/** Lower-case words; a word is a token here. */
export function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}

/** A vector of length 1 made of a text's words: texts that share words are near each other, and it is always the same. */
export function vectorOf(words: readonly string[], dimensions: number): number[] {
  const vector = new Array<number>(dimensions).fill(0);
  for (const word of words.length > 0 ? words : ['']) {
    const digest = createHash('sha256').update(word).digest();
    for (let at = 0; at < 8; at += 1) {
      const place = digest.readUInt16LE(2 * at) % dimensions;
      vector[place]! += digest[16 + at]! < 128 ? -1 : 1;
    }
  }
  const length = Math.hypot(...vector);
  // All words may have taken one another away.
  if (length === 0) return vector.with(0, 1);
  return vector.map((value) => Math.fround(value / length));
}

/** How near two vectors of length 1 are: -1 to 1. */
export function likeness(one: readonly number[], other: readonly number[]): number {
  return one.reduce((sum, value, at) => sum + value * other[at]!, 0);
}
