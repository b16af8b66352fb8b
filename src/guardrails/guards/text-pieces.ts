import type { Verdict } from '../guard.ts';
import { PASSED } from '../guard.ts';

/** A stretch of one of the texts that are asked about; all of its pieces, in order, are the text. */
export interface TextPiece {
  /** Index of its text. */
  readonly at: number;
  readonly text: string;
}

export interface PieceLimits {
  readonly maxCharacters: number;
}

export interface BatchLimits extends PieceLimits {
  readonly maxPieces: number;
}

/** Texts as a service takes them: none longer than it reads at once, in UTF-16 units. Empty texts have no piece. */
export function piecesOf(texts: readonly string[], { maxCharacters }: PieceLimits): TextPiece[] {
  const pieces: TextPiece[] = [];
  for (const [at, whole] of texts.entries()) {
    for (let from = 0; from < whole.length; ) {
      const end = whole.length - from <= maxCharacters ? whole.length : cutBefore(whole, from, from + maxCharacters);
      pieces.push({ at, text: whole.slice(from, end) });
      from = end;
    }
  }
  return pieces;
}

/** Pieces that are asked about together. A piece must not be longer than a batch. */
export function batchesOf(pieces: readonly TextPiece[], { maxPieces, maxCharacters }: BatchLimits): TextPiece[][] {
  const batches: TextPiece[][] = [];
  let characters = 0;
  for (const piece of pieces) {
    const last = batches.at(-1);
    if (last === undefined || last.length >= maxPieces || characters + piece.text.length > maxCharacters) {
      batches.push([piece]);
      characters = piece.text.length;
    } else {
      last.push(piece);
      characters += piece.text.length;
    }
  }
  return batches;
}

/** What one of several requests was about, and what it came to. */
export interface PieceVerdict {
  readonly pieces: readonly TextPiece[];
  /** The verdict; with `mutated` it has as many texts as there are pieces. */
  readonly verdict: Verdict;
}

/** What several answers about pieces of the same texts come to: a refusal counts first, then a fault. */
export function joinedVerdict(verdicts: readonly PieceVerdict[], texts: readonly string[]): Verdict {
  const messages = verdicts.flatMap(({ verdict }) => (verdict.result === 'failed' ? [verdict.message] : []));
  if (messages.length > 0) return { result: 'failed', message: [...new Set(messages)].join(' ') };
  const fault = verdicts.find(({ verdict }) => verdict.result === 'error');
  if (fault) return fault.verdict;
  if (verdicts.every(({ verdict }) => verdict.result !== 'mutated')) return PASSED;
  const made = new Map<number, string>();
  for (const { pieces, verdict } of verdicts) {
    for (const [index, { at, text }] of pieces.entries()) {
      const now = verdict.result === 'mutated' ? (verdict.texts[index] ?? text) : text;
      made.set(at, (made.get(at) ?? '') + now);
    }
  }
  return { result: 'mutated', texts: texts.map((text, at) => made.get(at) ?? text) };
}

const SENTENCE_END = /[.!?\u3002\uff01\uff1f\n]\s/g;

/** The end of a sentence or of a word in the last quarter of text[from, most), else `most`; never within a pair of surrogates. */
function cutBefore(text: string, from: number, most: number): number {
  const begin = most - Math.floor((most - from) / 4);
  const tail = text.slice(begin, most);
  const sentence = [...tail.matchAll(SENTENCE_END)].at(-1);
  if (sentence) return begin + sentence.index + sentence[0].length;
  const space = Math.max(tail.lastIndexOf(' '), tail.lastIndexOf('\n'));
  if (space >= 0) return begin + space + 1;
  const code = text.charCodeAt(most - 1);
  return code >= 0xd800 && code <= 0xdbff ? most - 1 : most;
}
