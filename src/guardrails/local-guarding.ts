import type { TextKind, TextSlot } from '../dialects/guarded-form.ts';
import { Channel, guardedText, type ScanMaker } from './channel.ts';
import { type Elsewhere, OFFLOAD_CHARACTERS, type ScanAnswer, type ScannedText } from './elsewhere.ts';
import type { Guard } from './guard.ts';
import type { HookPlan } from './plan.ts';
import { newScan } from './scan/json-text-scan.ts';
import type { RecogniserSet } from './scan/token-scan.ts';
import { KnownScan } from './scan-elsewhere.ts';
import { type GuardSession, LocalTally } from './session.ts';

export interface LocalOptions {
  readonly session: GuardSession;
  readonly plan: HookPlan | undefined;
  /** `asked`: it goes to a model, so that no placeholder is put back. */
  readonly side: 'asked' | 'answered';
}

/** What local guards made of texts in their places. */
export interface LocalOutcome {
  readonly changed: boolean;
  readonly tally: LocalTally;
  /** Why they could not judge, in words for people; undefined: they did. */
  readonly fault?: string;
}

/** Guards that judge by a few bytes read whole texts: here, or in another thread where there is much to read. */
export function guardLocally(slots: readonly TextSlot[], options: LocalOptions): LocalOutcome | Promise<LocalOutcome> {
  const { session, plan } = options;
  const { elsewhere, settings } = session;
  const sets = [plan?.refusing, plan?.changing, plan?.recording].filter((each) => each !== undefined);
  if (elsewhere !== undefined && sets.length > 0 && isLong(slots, settings.offloadCharacters ?? OFFLOAD_CHARACTERS)) {
    return guardElsewhere(slots, options, sets, elsewhere);
  }
  const tally = new LocalTally();
  const began = performance.now();
  const changed = guardSlots(slots, (kind) => newChannel(kind, options, tally, session));
  tally.ms = performance.now() - began;
  return { changed, tally };
}

async function guardElsewhere(
  slots: readonly TextSlot[],
  options: LocalOptions,
  sets: readonly RecogniserSet[],
  elsewhere: Elsewhere,
): Promise<LocalOutcome> {
  const tally = new LocalTally();
  const began = performance.now();
  const texts = textsOf(slots);
  const answer = await elsewhere.scan({ sets: sets.map(guardsOf), texts });
  tally.ms = performance.now() - began;
  if (typeof answer === 'string') return { changed: false, tally, fault: answer };
  let next = 0;
  const changed = guardSlots(slots, (kind) => {
    const scans = knownScans(sets, answer, next);
    next += 1;
    return newChannel(kind, options, tally, scans);
  });
  return { changed, tally };
}

function knownScans(sets: readonly RecogniserSet[], answer: ScanAnswer, text: number): ScanMaker {
  return {
    scanOf(set, kind) {
      const at = sets.indexOf(set);
      // Placeholders of the exchange are its own, and looked for here.
      return at < 0 ? newScan(set, kind) : new KnownScan(set, answer[at]?.[text] ?? []);
    },
  };
}

function newChannel(kind: TextKind, { session, plan, side }: LocalOptions, tally: LocalTally, scans: ScanMaker) {
  return new Channel(kind, plan, session, tally, { side, scans });
}

function isLong(slots: readonly TextSlot[], most: number): boolean {
  let characters = 0;
  for (const slot of slots) {
    characters += textOf(slot).length;
    if (characters >= most) return true;
  }
  return false;
}

/** Whose recognisers they are. They own one another's place in the set: in order, each once. */
function guardsOf({ recognisers }: RecogniserSet) {
  const owners = new Set(recognisers.map(({ owner }) => owner as Guard));
  // Its secrets stay here: a local guard has none that it needs.
  return [...owners].map(({ config: { auth: _, ...config } }) => config);
}

/** The texts, as channels are made for them. */
function textsOf(slots: readonly TextSlot[]): ScannedText[] {
  const texts: { text: string; readonly kind: TextKind }[] = [];
  const channels = new Map<string, (typeof texts)[number]>();
  for (const slot of slots) {
    const known = slot.channel === undefined ? undefined : channels.get(slot.channel);
    if (known) known.text += textOf(slot);
    else {
      const made = { text: textOf(slot), kind: slot.kind };
      texts.push(made);
      if (slot.channel !== undefined) channels.set(slot.channel, made);
    }
  }
  return texts;
}

/** Whether any of them is another text than before. Slots of one channel are one text. */
function guardSlots(slots: readonly TextSlot[], newChannel: (kind: TextKind) => Channel): boolean {
  const channels = new Map<string, Channel>();
  const pieces: { readonly slot: TextSlot; readonly channel: Channel; readonly start: number }[] = [];
  let changed = false;
  for (const slot of slots) {
    const name = slot.channel;
    const channel = (name === undefined ? undefined : channels.get(name)) ?? newChannel(slot.kind);
    if (name === undefined) {
      changed = setText(slot, guardedText(textOf(slot), channel)) || changed;
      continue;
    }
    channels.set(name, channel);
    pieces.push({ slot, channel, start: channel.length });
    channel.push(textOf(slot));
  }
  for (const channel of channels.values()) channel.end();
  for (const { slot, channel, start } of pieces) {
    const text = textOf(slot);
    changed = setText(slot, channel.told(text, start, start + text.length)) || changed;
  }
  return changed;
}

export function textOf({ holder, key }: Pick<TextSlot, 'holder' | 'key'>): string {
  const text = holder[key];
  return typeof text === 'string' ? text : '';
}

/** Whether it is another text than before; what repeats the old one is taken out. */
export function setText(slot: TextSlot, text: string): boolean {
  const { holder, key, repeats } = slot;
  if (holder[key] === text) return false;
  holder[key] = text;
  if (repeats) repeats.holder[repeats.key] = repeats.instead;
  return true;
}
