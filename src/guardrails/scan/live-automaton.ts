import { OP, type Program, programOf, takes } from './program.ts';
import type { Recogniser } from './recogniser.ts';

/** What may be under way behind a character. */
export interface LiveState {
  /** No match that began can still end here or later. */
  readonly quiet: boolean;
  /** Recognisers of which a match may have ended with the last character. */
  readonly accepts: readonly number[];
  /** The longest match of the recognisers that may be under way. */
  readonly maxCharacters: number;
  /** By character, for those of ASCII; filled as they come. */
  readonly next: (LiveState | undefined)[];
  /** By code point. */
  readonly others: Map<number, LiveState>;
  /** As `next` and `others`, where no match begins any more. */
  readonly nextOfOld: (LiveState | undefined)[];
  readonly othersOfOld: Map<number, LiveState>;
  readonly threads: readonly number[];
  /** The last character is one of a word, as `\b` has it. */
  readonly isBehindWord: boolean;
}

/** Where a match may begin. */
interface Begin {
  readonly thread: number;
  /** Only at the border of a word: its pattern begins with `\b`. */
  readonly atWord: boolean;
}

const ASCII = 128;
/** A set of patterns that needs more is begun anew: memory stays bounded, and the answers are the same. */
const MAX_STATES = 4_096;
const MAX_OTHERS = 1_024;

/**
 * Tells after each character whether a match of any of the patterns may be under way, by one look into a table. It takes
 * what is no character (`\b`, `^`) for granted but at the beginning of a pattern, so it may hold what turns out to be nothing, and never lets go of what is
 * something. States are made when they are first met, as RE2 makes its own.
 */
export class LiveAutomaton {
  readonly start: LiveState;
  readonly #recognisers: readonly Recogniser[];
  readonly #programs: readonly Program[];
  /** Where each program begins among the thread numbers, which count through all programs. */
  readonly #offsets: readonly number[];
  readonly #begin: readonly Begin[];
  #states = new Map<string, LiveState>();

  constructor(recognisers: readonly Recogniser[]) {
    this.#recognisers = recognisers;
    this.#programs = recognisers.map(({ pattern }) => programOf(pattern));
    const offsets: number[] = [];
    let offset = 0;
    for (const { inst } of this.#programs) {
      offsets.push(offset);
      offset += inst.length;
    }
    this.#offsets = offsets;
    this.#begin = this.#programs.flatMap(({ start }, index) => this.#beginsOf(index, start));
    this.start = this.#stateOf([], false);
  }

  after(state: LiveState, codePoint: number): LiveState {
    return this.#known(state.next, state.others, codePoint) ?? this.#step(state, codePoint, 'begins');
  }

  /** What of the matches that are under way still is behind this character; none begins. */
  afterOld(state: LiveState, codePoint: number): LiveState {
    return this.#known(state.nextOfOld, state.othersOfOld, codePoint) ?? this.#step(state, codePoint, 'old');
  }

  #known(
    next: readonly (LiveState | undefined)[],
    others: ReadonlyMap<number, LiveState>,
    codePoint: number,
  ): LiveState | undefined {
    return codePoint < ASCII ? next[codePoint] : others.get(codePoint);
  }

  #step(state: LiveState, codePoint: number, mode: 'begins' | 'old'): LiveState {
    const reached = new Set<number>();
    const isWord = isWordCharacter(codePoint);
    for (const thread of state.threads) this.#take(thread, codePoint, reached);
    if (mode === 'begins') {
      const isBorder = isWord !== state.isBehindWord;
      for (const { thread, atWord } of this.#begin) if (isBorder || !atWord) this.#take(thread, codePoint, reached);
    }
    const made = this.#stateOf(
      [...reached].sort((a, b) => a - b),
      isWord,
    );
    const [next, others] = mode === 'begins' ? [state.next, state.others] : [state.nextOfOld, state.othersOfOld];
    if (codePoint < ASCII) next[codePoint] = made;
    else if (others.size < MAX_OTHERS) others.set(codePoint, made);
    return made;
  }

  #take(thread: number, codePoint: number, reached: Set<number>): void {
    const index = this.#indexOf(thread);
    const instruction = this.#programs[index]?.inst[thread - this.#offsets[index]!];
    if (instruction === undefined || instruction.op === OP.match || !takes(instruction, codePoint)) return;
    this.#follow(index, instruction.out, reached);
  }

  /** All threads that wait for a character, or have matched, behind this instruction. */
  #follow(index: number, from: number, reached: Set<number>): void {
    const { inst } = this.#programs[index]!;
    const offset = this.#offsets[index]!;
    const seen = new Set<number>();
    const stack = [from];
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      if (seen.has(at)) continue;
      seen.add(at);
      const instruction = inst[at];
      if (instruction === undefined || instruction.op === OP.fail) continue;
      const { op, out, arg } = instruction;
      if (op === OP.match || op >= OP.rune) reached.add(offset + at);
      else if (op === OP.alt || op === OP.altMatch) stack.push(arg, out);
      else stack.push(out);
    }
  }

  /** All ways into a pattern: behind a `\b` those that have one in front, from each branch. */
  #beginsOf(index: number, start: number): Begin[] {
    const { inst } = this.#programs[index]!;
    const free = new Set<number>();
    const bordered = new Set<number>();
    const seen = new Set<number>();
    const stack = [start];
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      if (seen.has(at)) continue;
      seen.add(at);
      const { op, out = 0, arg = 0 } = inst[at] ?? {};
      if (op === OP.alt || op === OP.altMatch) stack.push(arg, out);
      else if (op === OP.capture || op === OP.nop) stack.push(out);
      else if (op === OP.emptyWidth && arg === WORD_BORDER) this.#follow(index, out, bordered);
      else this.#follow(index, at, free);
    }
    const atBorders = [...bordered].filter((thread) => !free.has(thread));
    return [
      ...[...free].map((thread) => ({ thread, atWord: false })),
      ...atBorders.map((thread) => ({ thread, atWord: true })),
    ];
  }

  #indexOf(thread: number): number {
    let index = this.#offsets.length - 1;
    while (index > 0 && this.#offsets[index]! > thread) index -= 1;
    return index;
  }

  #stateOf(threads: readonly number[], isBehindWord: boolean): LiveState {
    const key = `${isBehindWord ? 'w' : ''}${threads.join(',')}`;
    const known = this.#states.get(key);
    if (known !== undefined) return known;
    if (this.#states.size >= MAX_STATES) this.#states = new Map();
    const accepts: number[] = [];
    let maxCharacters = 0;
    for (const thread of threads) {
      const index = this.#indexOf(thread);
      maxCharacters = Math.max(maxCharacters, this.#recognisers[index]!.maxCharacters);
      const { op } = this.#programs[index]!.inst[thread - this.#offsets[index]!]!;
      if (op === OP.match && !accepts.includes(index)) accepts.push(index);
    }
    const quiet = threads.length === 0;
    const next: LiveState['next'] = [];
    const nextOfOld: LiveState['nextOfOld'] = [];
    const others = new Map<number, LiveState>();
    const othersOfOld = new Map<number, LiveState>();
    const state = { quiet, accepts, maxCharacters, next, others, nextOfOld, othersOfOld, threads, isBehindWord };
    this.#states.set(key, state);
    return state;
  }
}

/** In the argument of an instruction of no width (re2js: Utils.EMPTY_WORD_BOUNDARY). */
const WORD_BORDER = 16;

function isWordCharacter(code: number): boolean {
  return (
    (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a) || (code >= 0x30 && code <= 0x39) || code === 0x5f
  );
}
