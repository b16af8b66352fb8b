import type { TextKind } from '../dialects/guarded-form.ts';
import type { HookPlan } from './plan.ts';
import { type Found, inPlaceOf, type RecogniserSet, type TextScan } from './scan/token-scan.ts';
import type { GuardSession, LocalTally } from './session.ts';

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** What looks for a set of recognisers in one text. */
export interface ScanMaker {
  scanOf(set: RecogniserSet, kind: TextKind): TextScan;
}

export interface ChannelOptions {
  /** `asked`: it goes to a model, so that no placeholder is put back. */
  readonly side?: 'asked' | 'answered';
  /** Absent: the text is scanned as it comes. */
  readonly scans?: ScanMaker;
}

/**
 * One text of an answer, as it grows: what local guards found in it, and up to where it may be let go. Offsets are UTF-16
 * units from its beginning.
 */
export class Channel {
  readonly kind: TextKind;
  /** What came so far. */
  length = 0;
  /** Something was found that is refused. */
  refused = false;
  readonly #session: GuardSession;
  readonly #tally: LocalTally;
  readonly #refusing: TextScan | undefined;
  readonly #changing: TextScan | undefined;
  readonly #recording: TextScan | undefined;
  readonly #restoring: TextScan | undefined;
  /** All of these. */
  readonly #scans: readonly TextScan[];
  #edits: Edit[] = [];

  constructor(
    kind: TextKind,
    plan: HookPlan | undefined,
    session: GuardSession,
    tally: LocalTally,
    { side = 'answered', scans = session }: ChannelOptions = {},
  ) {
    this.kind = kind;
    this.#session = session;
    this.#tally = tally;
    this.#refusing = plan?.refusing && scans.scanOf(plan.refusing, kind);
    this.#changing = plan?.changing && scans.scanOf(plan.changing, kind);
    this.#recording = plan?.recording && scans.scanOf(plan.recording, kind);
    const { pseudonyms } = session;
    this.#restoring =
      side === 'asked' || pseudonyms.isEmpty ? undefined : session.scanOf(pseudonyms.placeholders, kind);
    const all = [this.#refusing, this.#changing, this.#recording, this.#restoring];
    this.#scans = all.filter((each) => each !== undefined);
  }

  /** The text before here stays as it is. */
  get decided(): number {
    let decided = this.length;
    if (this.#refusing && this.#refusing.decided < decided) decided = this.#refusing.decided;
    if (this.#changing && this.#changing.decided < decided) decided = this.#changing.decided;
    if (this.#restoring && this.#restoring.decided < decided) decided = this.#restoring.decided;
    return decided;
  }

  /** All that came is decided, and none of it is told otherwise. */
  get isSettled(): boolean {
    return this.#edits.length === 0 && this.decided === this.length;
  }

  /** Whether these bytes of ASCII are read, with nothing under way before or behind them; else they are to be pushed. */
  skims(bytes: Buffer, start: number, end: number): boolean {
    if (this.#edits.length > 0) return false;
    const scans = this.#scans;
    for (const scan of scans) if (scan.isDull?.(bytes, start, end) !== true) return false;
    for (const scan of scans) scan.skip?.(bytes, start, end);
    this.length += end - start;
    return true;
  }

  push(text: string): void {
    this.length += text.length;
    this.#refusing?.push(text);
    this.#changing?.push(text);
    this.#recording?.push(text);
    this.#restoring?.push(text);
    this.#collect();
  }

  end(): void {
    this.#refusing?.end();
    this.#changing?.end();
    this.#recording?.end();
    this.#restoring?.end();
    this.#collect();
  }

  /** The decided text in [start, end), which begins with `text`, as it is told; asked in order, once for each stretch. */
  told(text: string, start: number, end: number): string {
    if (this.#edits.length === 0) return text;
    let made = '';
    let from = start;
    for (const edit of this.#edits) {
      if (edit.start >= end) break;
      if (edit.end <= from) continue;
      if (edit.start >= start) made += text.slice(from - start, edit.start - start) + edit.text;
      from = Math.min(edit.end, end);
    }
    made += text.slice(from - start);
    this.#edits = this.#edits.filter((edit) => edit.end > end);
    return made;
  }

  #collect(): void {
    const refused = this.#refusing?.take();
    if (refused !== undefined && refused.length > 0) {
      this.#tally.add(refused);
      this.refused = true;
    }
    const recorded = this.#recording?.take();
    if (recorded !== undefined && recorded.length > 0) this.#tally.add(recorded);
    const restored = this.#restoring?.take();
    const { pseudonyms } = this.#session;
    if (restored !== undefined)
      for (const each of restored) this.#edit(each, pseudonyms.valueOf(each.text) ?? each.text);
    const changed = this.#changing?.take();
    if (changed === undefined || changed.length === 0) return;
    this.#tally.add(changed);
    for (const each of changed) this.#edit(each, this.#session.replacementOf(each));
  }

  /** In order; of two that overlap the one that is there stays. */
  #edit(found: Found, by: string): void {
    const { start, end } = found;
    let at = this.#edits.length;
    while (at > 0 && this.#edits[at - 1]!.start >= start) at -= 1;
    const before = this.#edits[at - 1];
    const behind = this.#edits[at];
    if ((before && before.end > start) || (behind && behind.start < end)) return;
    this.#edits.splice(at, 0, { start, end, text: inPlaceOf(found, by) });
  }
}

/** A text that is whole, as local guards leave it. */
export function guardedText(text: string, channel: Channel): string {
  channel.push(text);
  channel.end();
  return channel.told(text, 0, text.length);
}
