import { isArray, isObject, type JsonObject, stringOf } from '../../codec/json-value.ts';

/** A path that says more, or an index beyond it, is left out: no arguments of a function look so. */
const MAX_STEPS = 64;
const MAX_INDEX = 10_000;
/** `$.city`, `$.days[0].name`, `$['a key']` */
const STEP = /\.([^.[\]]+)|\[(\d+)\]|\[(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\]/g;

type Step = string | number;
type Built = Record<Step, unknown>;

/**
 * Arguments of one call that come in pieces: each names a place within them, and a text may go on in the next piece.
 * https://docs.cloud.google.com/vertex-ai/generative-ai/docs/multimodal/function-calling#streaming-fc
 */
export class StreamedArguments {
  /** Without a prototype, since a place may have any name. */
  readonly #root: Built = Object.create(null);

  add(args: unknown, partialArgs: unknown): void {
    if (isObject(args)) for (const [key, value] of Object.entries(args)) this.#root[key] = value;
    if (isArray(partialArgs)) for (const piece of partialArgs) if (isObject(piece)) this.#place(piece);
  }

  text(): string {
    return JSON.stringify(this.#root);
  }

  #place(piece: JsonObject): void {
    const steps = stepsOf(stringOf(piece['jsonPath']) ?? '');
    const last = steps.pop();
    if (last === undefined) return;
    let at: Built = this.#root;
    for (const [depth, step] of steps.entries()) {
      const next = typeof (steps[depth + 1] ?? last) === 'number' ? [] : Object.create(null);
      const inner = at[step];
      if (typeof inner !== 'object' || inner === null) at[step] = next;
      at = at[step] as Built;
    }
    const before = at[last];
    const text = stringOf(piece['stringValue']);
    if (text !== undefined) at[last] = typeof before === 'string' ? before + text : text;
    else if ('numberValue' in piece) at[last] = piece['numberValue'];
    else if ('boolValue' in piece) at[last] = piece['boolValue'];
    else if ('nullValue' in piece) at[last] = null;
  }
}

function stepsOf(path: string): Step[] {
  const steps: Step[] = [];
  for (const [, name, index, single, double] of path.matchAll(STEP)) {
    if (index === undefined) steps.push(name ?? (single ?? double ?? '').replace(/\\(.)/g, '$1'));
    else if (Number(index) <= MAX_INDEX) steps.push(Number(index));
    else return [];
    if (steps.length > MAX_STEPS) return [];
  }
  return steps;
}
