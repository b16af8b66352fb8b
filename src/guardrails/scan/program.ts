import type { RE2JS } from 're2js';

/*
 * The program of a compiled pattern, as RE2 has it (https://swtch.com/~rsc/regexp/regexp2.html): read here to learn how
 * long a match can be, and whether one may be under way. re2js has no call for either.
 */
export const OP = {
  alt: 1,
  altMatch: 2,
  capture: 3,
  emptyWidth: 4,
  fail: 5,
  match: 6,
  nop: 7,
  rune: 8,
  rune1: 9,
  runeAny: 10,
  runeAnyNotNl: 11,
} as const;

export interface Instruction {
  readonly op: number;
  readonly out: number;
  readonly arg: number;
  readonly runes: ArrayLike<number>;
  matchRune(codePoint: number): boolean;
}

export interface Program {
  readonly inst: readonly Instruction[];
  readonly start: number;
}

const LINE_FEED = 0x0a;
const MAX_BMP = 0xffff;

export function programOf(pattern: RE2JS): Program {
  const compiled: unknown = Reflect.get(pattern, 're2Input');
  const program: unknown =
    typeof compiled === 'object' && compiled !== null ? Reflect.get(compiled, 'prog') : undefined;
  if (!isProgram(program)) throw new TypeError('re2js keeps its program elsewhere');
  return program;
}

function isProgram(value: unknown): value is Program {
  return typeof value === 'object' && value !== null && Array.isArray(Reflect.get(value, 'inst'));
}

/** Whether the instruction takes this character. */
export function takes(instruction: Instruction, codePoint: number): boolean {
  const { op } = instruction;
  if (op === OP.runeAny) return true;
  if (op === OP.runeAnyNotNl) return codePoint !== LINE_FEED;
  return instruction.matchRune(codePoint);
}

/** UTF-16 units of the longest match; Infinity: there is no bound. */
export function longestMatch(program: Program): number {
  const known = new Map<number, number>();
  const open = new Set<number>();
  const longest = (at: number): number => {
    const before = known.get(at);
    if (before !== undefined) return before;
    // A loop: each round may take more.
    if (open.has(at)) return Number.POSITIVE_INFINITY;
    open.add(at);
    const length = lengthFrom(program.inst[at], longest);
    open.delete(at);
    known.set(at, length);
    return length;
  };
  return longest(program.start);
}

function lengthFrom(instruction: Instruction | undefined, longest: (at: number) => number): number {
  if (instruction === undefined) return Number.NEGATIVE_INFINITY;
  const { op, out, arg } = instruction;
  switch (op) {
    case OP.fail:
      return Number.NEGATIVE_INFINITY;
    case OP.match:
      return 0;
    case OP.alt:
    case OP.altMatch:
      return Math.max(longest(out), longest(arg));
    case OP.rune:
    case OP.rune1:
    case OP.runeAny:
    case OP.runeAnyNotNl:
      return units(instruction) + longest(out);
    default:
      return longest(out);
  }
}

function units({ op, runes }: Instruction): number {
  if (op === OP.runeAny || op === OP.runeAnyNotNl) return 2;
  return (runes[runes.length - 1] ?? 0) > MAX_BMP ? 2 : 1;
}
