import { LiveAutomaton, type LiveState } from './live-automaton.ts';
import type { Recogniser } from './recogniser.ts';

/** A stretch of text that was recognised; offsets are UTF-16 units from the beginning of the text. */
export interface Found {
  readonly start: number;
  readonly end: number;
  readonly recogniser: Recogniser;
  /** What was found. Never for a record. */
  readonly text: string;
  /** What whatever takes its place has to be written as. */
  readonly standsAs: 'text' | 'json-string' | 'json-word';
}

/** What takes the place of a find, so that JSON around it stays JSON. */
export function inPlaceOf({ standsAs }: Found, text: string): string {
  if (standsAs === 'text') return text;
  const json = JSON.stringify(text);
  return standsAs === 'json-word' ? json : json.slice(1, -1);
}

/** Reads one text that comes in pieces, and says of which of it all is known. */
export interface TextScan {
  /** What was found before here stays as it is, whatever comes; the rest has to be held. */
  readonly decided: number;
  push(text: string): void;
  /** Nothing follows: all of it is decided. */
  end(): void;
  /** What was found since it was last asked, in order, not overlapping. */
  take(): readonly Found[];
  /**
   * Whether these bytes are words of ASCII before, in and behind which nothing is under way: they may be skipped. Absent:
   * nothing is ever skipped.
   */
  isDull?(bytes: Buffer, start: number, end: number): boolean;
  /** What `isDull` said of the bytes that were asked about last: they are read, and nothing is found in them. */
  skip?(bytes: Buffer, start: number, end: number): void;
}

/** Recognisers that are looked for together, compiled once. Where two begin at the same place the first of the list wins. */
export class RecogniserSet {
  readonly recognisers: readonly Recogniser[];
  readonly live: LiveAutomaton;

  constructor(recognisers: readonly Recogniser[]) {
    this.recognisers = recognisers;
    this.live = new LiveAutomaton(recognisers);
  }
}

const NOTHING: readonly Found[] = [];
const HIGH_FIRST = 0xd800;
const HIGH_LAST = 0xdbff;
const LOW_LAST = 0xdfff;

/**
 * Finds what a set of recognisers finds, in text that comes in pieces: the same as in the whole text, however it is cut.
 * Nearly all characters cost one look into a table (live-automaton.ts); a pattern itself runs only over stretches in which
 * a match may have ended. What is held is a match that may be under way, and no more of it than a match can be long.
 */
export class TokenScan implements TextScan {
  decided = 0;
  readonly #set: RecogniserSet;
  /** Text from `#base` on: what is not decided, and one character before it, by which `\b` and `^` judge. */
  #window = '';
  #base = 0;
  /** Units that were walked over. */
  #walked = 0;
  #state: LiveState;
  /** What began before here is found or is none. */
  #since = 0;
  /** No match that began before here can still end. */
  #alive = 0;
  /** What of the matches that began before `#mark` is still under way. */
  #old: LiveState;
  #mark = 0;
  /** Per recogniser: where a match of it may have ended last, in the stretch under way. */
  readonly #ended = new Map<number, number>();
  #found: Found[] = [];
  /** The state behind the bytes that were called dull. */
  #behindDull: LiveState;

  constructor(set: RecogniserSet) {
    this.#set = set;
    this.#state = set.live.start;
    this.#old = set.live.start;
    this.#behindDull = set.live.start;
  }

  /** Nearly all events of a stream: no text is made of them, and nothing is copied. */
  isDull(bytes: Buffer, start: number, end: number): boolean {
    let state = this.#state;
    if (!state.quiet || this.decided !== this.#base + this.#window.length) return false;
    for (let at = start; at < end; at += 1) {
      // The automaton has no next state for bytes beyond ASCII, nor for those that it never met.
      const next = state.next[bytes[at]!];
      if (next === undefined || next.accepts.length > 0) return false;
      state = next;
    }
    this.#behindDull = state;
    return state.quiet;
  }

  skip(bytes: Buffer, start: number, end: number): void {
    if (end === start) return;
    const known = this.#walked + end - start;
    this.#state = this.#behindDull;
    this.#old = this.#behindDull;
    this.#walked = known;
    this.#since = known;
    this.#alive = known;
    this.#mark = known;
    this.decided = known;
    this.#window = String.fromCharCode(bytes[end - 1]!);
    this.#base = known - 1;
  }

  push(text: string): void {
    if (text === '') return;
    this.#window = this.#window === '' ? text : this.#window + text;
    this.#walk();
    const known = this.#walked;
    if (this.#state.quiet) this.decided = known;
    else this.#letGo(known);
    this.#forget();
  }

  end(): void {
    const end = this.#base + this.#window.length;
    // Half a pair of surrogates stands at the end: nothing takes it.
    this.#walked = end;
    if (this.#ended.size > 0) this.#resolve(end, end);
    this.decided = end;
    this.#since = end;
    this.#window = '';
    this.#base = end;
  }

  take(): readonly Found[] {
    if (this.#found.length === 0) return NOTHING;
    const found = this.#found;
    this.#found = [];
    return found;
  }

  #walk(): void {
    const { live } = this.#set;
    const window = this.#window;
    const base = this.#base;
    let state = this.#state;
    let old = this.#old;
    let mark = this.#mark;
    let at = this.#walked - base;
    // What was under way before this piece: where it is over, what came before can leave.
    let before = this.#state;
    const begun = this.#walked;
    while (at < window.length) {
      let code = window.charCodeAt(at);
      let next = at + 1;
      if (code >= HIGH_FIRST && code <= HIGH_LAST) {
        if (next === window.length) break;
        const low = window.charCodeAt(next);
        if (low > HIGH_LAST && low <= LOW_LAST) {
          code = window.codePointAt(at)!;
          next += 1;
        }
      }
      state = state.next[code] ?? live.after(state, code);
      at = next;
      if (state.quiet) {
        if (this.#ended.size > 0) {
          this.#resolve(base + at, base + at);
          this.#ended.clear();
        }
        this.#since = base + at;
        this.#alive = base + at;
        mark = base + at;
        old = state;
        before = state;
        continue;
      }
      if (state.accepts.length > 0) for (const index of state.accepts) this.#ended.set(index, base + at);
      if (!before.quiet) {
        before = before.nextOfOld[code] ?? live.afterOld(before, code);
        if (before.quiet && begun > this.#alive) this.#alive = begun;
      }
      if (!old.quiet) old = old.nextOfOld[code] ?? live.afterOld(old, code);
      if (old.quiet) {
        if (mark > this.#alive) this.#alive = mark;
        mark = base + at;
        old = state;
      }
    }
    this.#state = state;
    this.#old = old;
    this.#mark = mark;
    this.#walked = base + at;
  }

  /** Something is under way: what it cannot reach back to is decided all the same. */
  #letGo(known: number): void {
    const horizon = Math.max(this.#since, this.#alive, known - this.#state.maxCharacters);
    if (horizon > this.#since) {
      const from = this.#ended.size > 0 ? this.#resolve(horizon, known) : horizon;
      this.#since = Math.max(horizon, from);
      // What begins behind here has not ended before it.
      for (const [index, end] of this.#ended) if (end <= this.#since) this.#ended.delete(index);
    }
    this.decided = Math.max(this.decided, this.#since);
  }

  #forget(): void {
    const keep = Math.max(0, this.decided - 1 - this.#base);
    if (keep === 0) return;
    this.#window = this.#window.slice(keep);
    this.#base += keep;
  }

  /** Matches that begin in [since, horizon), in text that is known up to `to`. Gives the end of the last one. */
  #resolve(horizon: number, to: number): number {
    const base = Math.max(this.#base, this.#since - 1);
    const text = this.#window.slice(base - this.#base, to - this.#base);
    const candidates: Candidate[] = [];
    // In the order of the list, by which ties are decided.
    for (const [index, recogniser] of this.#set.recognisers.entries()) {
      if (this.#ended.has(index)) candidates.push(new Candidate(recogniser, text));
    }
    let from = this.#since - base;
    for (;;) {
      let best: Candidate | undefined;
      for (const candidate of candidates) {
        candidate.seek(from);
        if (candidate.start >= 0 && (best === undefined || candidate.start < best.start)) best = candidate;
      }
      if (best === undefined || base + best.start >= horizon) break;
      const { start, end, recogniser } = best;
      const said = text.slice(start, end);
      this.#found.push({ start: base + start, end: base + end, recogniser, text: said, standsAs: 'text' });
      from = end;
    }
    return base + from;
  }
}

/** The next match of one recogniser. */
class Candidate {
  /** -1: there is none any more. */
  start = 0;
  end = 0;
  readonly recogniser: Recogniser;
  readonly #text: string;
  #sought = -1;

  constructor(recogniser: Recogniser, text: string) {
    this.recogniser = recogniser;
    this.#text = text;
  }

  /** The first match that begins at `from` or behind it. */
  seek(from: number): void {
    if (this.#sought >= 0 && (this.start < 0 || this.start >= from)) return;
    this.#sought = from;
    const { pattern, maxCharacters, accepts } = this.recogniser;
    const text = this.#text;
    const matcher = pattern.matcher(text);
    for (let at = from; at <= text.length && matcher.find(at); at = matcher.start() + 1) {
      const start = matcher.start();
      let end = matcher.end();
      if (end - start > maxCharacters) {
        // A match that is too long counts as far as it fits.
        const bounded = pattern.matcher(text.slice(0, start + maxCharacters));
        if (!bounded.find(start) || bounded.start() !== start) continue;
        end = bounded.end();
      }
      if (end === start || accepts?.(text.slice(start, end)) === false) continue;
      this.start = start;
      this.end = end;
      return;
    }
    this.start = -1;
  }
}
