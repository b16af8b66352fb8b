import type { GuardConfig } from '../config/guardrails/guardrails.ts';
import type { TextKind } from '../dialects/guarded-form.ts';
import type { CheckJob, PlainFound, ScanAnswer, ScanJob } from './elsewhere.ts';
import type { Verdict } from './guard.ts';
import { makeGuards } from './make-guards.ts';
import { newScan } from './scan/json-text-scan.ts';
import { type Found, RecogniserSet, type TextScan } from './scan/token-scan.ts';

/** In a thread of the pool. */
export function scanTexts({ sets, texts }: ScanJob): ScanAnswer {
  return sets.map((configs) => {
    const set = knownSet(configs);
    const places = new Map(set.recognisers.map((each, at) => [each, at]));
    return texts.map(({ text, kind }) =>
      found(set, kind, text).map(
        ({ start, end, text: said, standsAs, recogniser }): PlainFound => ({
          start,
          end,
          text: said,
          standsAs,
          recogniser: places.get(recogniser)!,
        }),
      ),
    );
  });
}

/** In a thread of the pool: by a guard that reads nothing but texts. */
export function checkTexts({ config, texts }: CheckJob): Verdict | Promise<Verdict> {
  const guard = guardsOf([config])[0];
  if (guard?.checkTexts === undefined) throw new Error(`${config.name} judges by more than texts`);
  return guard.checkTexts(texts);
}

/** The sets of a configuration are few, and compiling one takes longer than most texts. */
const sets = new Map<string, RecogniserSet>();
const MAX_SETS = 32;

function knownSet(configs: readonly GuardConfig[]): RecogniserSet {
  const key = JSON.stringify(configs);
  let set = sets.get(key);
  if (set === undefined) {
    set = new RecogniserSet(guardsOf(configs).flatMap(({ recognisers }) => recognisers ?? []));
    if (sets.size >= MAX_SETS) sets.clear();
    sets.set(key, set);
  }
  return set;
}

function guardsOf(configs: readonly GuardConfig[]) {
  const http = () => Promise.reject(new Error('nobody is asked here'));
  return [...makeGuards(configs, { http, credentialOf: () => undefined }).values()];
}

function found(set: RecogniserSet, kind: TextKind, text: string): readonly Found[] {
  const scan = newScan(set, kind);
  scan.push(text);
  scan.end();
  return scan.take();
}

/** A text whose finds are known before it is read. */
export class KnownScan implements TextScan {
  decided = 0;
  #found: readonly Found[];

  constructor(set: RecogniserSet, found: readonly PlainFound[]) {
    this.#found = found.map((each) => ({ ...each, recogniser: set.recognisers[each.recogniser]! }));
  }

  push(text: string): void {
    this.decided += text.length;
  }

  end(): void {}

  take(): readonly Found[] {
    const found = this.#found;
    this.#found = [];
    return found;
  }
}
