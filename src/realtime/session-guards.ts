import { parseExactObject } from '../codec/exact-json.ts';
import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import type { HeardPlace, RealtimeWords } from '../dialects/realtime-words.ts';
import { guardCode } from '../guardrails/guard-code.ts';
import type { InputVerdict } from '../guardrails/guarded-input.ts';
import type { OutputOptions } from '../guardrails/guardrails.ts';
import type { GuardSession } from '../guardrails/session.ts';
import { GuardedLane, type LaneEnd } from './guarded-lane.ts';

export interface SessionGuardsOptions {
  readonly words: RealtimeWords;
  /** The guards of the next turn, as the configuration has them now; undefined: none. `before`: those of the last turn. */
  open(before: GuardSession | undefined): OrError<GuardSession | undefined>;
  /** Bounds of what may be held. */
  readonly bounds: () => Pick<OutputOptions, 'sharedMemory' | 'maxBodyMemoryBytes' | 'maxHeldBytes'>;
}

/** The owner of the session that is guarded. */
export interface GuardedSide {
  deliver(message: Buffer, isBinary: boolean): void;
  /** Guards refuse what the provider said. `cancels`: what stops it there; undefined: its form has nothing for that. */
  refused(error: GatewayError, cancels: readonly string[] | undefined): void;
  /** Nothing may be heard of the provider until `resume`. */
  pause(): void;
  resume(): void;
}

/** What guards came to in one turn. */
export interface GuardedTurn {
  readonly error: GatewayError | undefined;
  readonly json: string | undefined;
  readonly ruleIds: readonly string[];
}

export const UNGUARDED: GuardedTurn = { error: undefined, json: undefined, ruleIds: [] };
/** Transcripts that are under way beside each other. */
const MAX_TRANSCRIPTS = 32;
/** Answers that are under way beside each other, of which all but one are out of the conversation. */
const MAX_ANSWERS = 32;

/**
 * The guards of a session: those of the input read what the client says before it passes, those of the output what the
 * provider says. Guards are opened anew for each turn. What needs no reading passes as the bytes that came.
 */
export class SessionGuards {
  readonly #o: SessionGuardsOptions;
  #side: GuardedSide | undefined;
  /** Guards of this turn; undefined: nothing was read in it yet. */
  #opened: { readonly guards: GuardSession | undefined } | undefined;
  #before: GuardSession | undefined;
  #answer: GuardedLane | undefined;
  readonly #transcripts = new Map<string, GuardedLane>();
  /** Answers under way, by their ids. */
  readonly #answers = new Set<string>();
  /** Answers that guards refused, and that their provider has not ended. */
  readonly #refused = new Set<string>();
  /** The message that ends an answer, while guards read it. */
  #end: { readonly message: Buffer; readonly isBinary: boolean } | undefined;
  #isAsking = false;
  #error: GatewayError | undefined;
  #onTurnEnds: ((turn: GuardedTurn) => void)[] = [];
  #isClosed = false;

  constructor(options: SessionGuardsOptions) {
    this.#o = options;
  }

  bind(side: GuardedSide): void {
    this.#side = side;
  }

  // ── what the client says ──────────────────────────────────────────────────

  /** The message as guards let it pass, or why it does not. */
  said(message: Buffer): OrError<Buffer> | Promise<OrError<Buffer>> {
    const session = this.#guards();
    if (session instanceof GatewayError) return session;
    const plan = session?.hook('llm-input');
    const { words } = this.#o;
    if (session === undefined || plan === undefined || words.isQuiet(message)) return message;
    const request = parseExactObject(message.toString());
    if (request === undefined) {
      return new GatewayError('invalid_json', {
        detail: 'Guards read each message of this session: it has to be JSON.',
      });
    }
    // Written anew whatever guards do: of two equal keys a provider could take the one that nobody read.
    const written = (): Buffer => Buffer.from(JSON.stringify(request));
    const slots = words.said(request);
    if (slots.length === 0) return written();
    const guarding = { session, plan, hook: 'llm-input' as const, slots: words.said };
    const verdict = guardCode().guardParsed(guarding, request);
    if (!(verdict instanceof Promise)) return passed(verdict, written);
    return verdict.then(
      (each) => passed(each, written),
      (cause) => new GatewayError('internal_error', { cause }),
    );
  }

  /** What guards found in what was refused, for a record of its own. */
  takeJson(): string | undefined {
    return this.#opened?.guards?.takeJson();
  }

  // ── what the provider says ────────────────────────────────────────────────

  /** An answer is whole, and guards are asked about it: what comes behind it has to wait. */
  get isAsking(): boolean {
    return this.#isAsking;
  }

  /** It is delivered now, later, or never. */
  heard(message: Buffer, isBinary: boolean): void {
    const side = this.#side!;
    const guards = this.#guards();
    if (guards instanceof GatewayError) {
      side.refused(guards, undefined);
      return;
    }
    if (guards === undefined && this.#refused.size === 0) side.deliver(message, isBinary);
    else this.#read(message, isBinary, guards);
    if (this.#answer === undefined) this.#endTurns();
  }

  #read(message: Buffer, isBinary: boolean, guards: GuardSession | undefined): void {
    const { words } = this.#o;
    const { answer, id = '', transcript, isWhole } = words.placeOf(message);
    if (answer !== undefined && this.#isDropped(answer, id, message)) {
      if (answer === 'ends') this.#side!.deliver(words.emptied(message), isBinary);
      return;
    }
    if (transcript !== undefined) {
      const lane = this.#transcripts.get(transcript) ?? this.#openTranscript(transcript, guards);
      this.#pass(lane, message, isBinary);
      if (isWhole) lane?.end();
      return;
    }
    if (answer === 'begins' && this.#answers.size < MAX_ANSWERS) this.#answers.add(id);
    if (answer === 'ends') this.#answers.delete(id);
    const open = this.#answer;
    if (open === undefined && words.tellsNothing(message)) {
      this.#side!.deliver(message, isBinary);
      return;
    }
    this.#end = answer === 'ends' ? { message, isBinary } : undefined;
    const lane = open ?? this.#openAnswer(guards);
    this.#pass(lane, message, isBinary);
    const isLast =
      answer === 'ends' ? this.#answers.size === 0 : open === undefined && answer !== 'begins' && answer !== 'goes on';
    if (isLast && lane !== undefined && this.#answer === lane) this.#endAnswer(lane);
  }

  #pass(lane: GuardedLane | undefined, message: Buffer, isBinary: boolean): void {
    if (lane === undefined) this.#side!.deliver(message, isBinary);
    else lane.take(message, isBinary);
  }

  /** Whether it is of an answer that guards refused. */
  #isDropped(answer: NonNullable<HeardPlace['answer']>, id: string, message: Buffer): boolean {
    if (this.#refused.size === 0 || answer === 'begins') return false;
    if (answer === 'ends') return this.#refused.delete(id);
    return this.#answers.size === 0 || this.#refused.has(this.#o.words.answerOf(message) ?? '');
  }

  #openAnswer(guards: GuardSession | undefined): GuardedLane | undefined {
    const side = this.#side!;
    this.#answer = this.#open(guards, {
      deliver: (message, isBinary) => side.deliver(message, isBinary),
      refused: (error) => {
        this.#answer = undefined;
        this.#refuse(error);
        this.#leave();
      },
      over: () => {
        this.#answer = undefined;
        this.#leave();
      },
      pause: () => side.pause(),
      resume: () => side.resume(),
    });
    return this.#answer;
  }

  /** What comes behind it waits until it has left. */
  #endAnswer(lane: GuardedLane): void {
    lane.end();
    if (this.#answer !== lane || this.#isAsking) return;
    this.#isAsking = true;
    this.#side!.pause();
  }

  #leave(): void {
    if (!this.#isAsking) return;
    this.#endTurns();
    this.#isAsking = false;
    this.#side!.resume();
  }

  #openTranscript(name: string, guards: GuardSession | undefined): GuardedLane | undefined {
    const side = this.#side!;
    if (this.#transcripts.size >= MAX_TRANSCRIPTS) {
      const detail = `More than ${MAX_TRANSCRIPTS} transcripts are under way, and guards read them all.`;
      side.refused(new GatewayError('upstream_too_large', { detail }), undefined);
      return undefined;
    }
    const lane = this.#open(guards, {
      deliver: (message, isBinary) => side.deliver(message, isBinary),
      refused: (error) => {
        this.#transcripts.delete(name);
        this.#refuse(error);
      },
      over: () => this.#transcripts.delete(name),
      pause: () => side.pause(),
      resume: () => side.resume(),
    });
    if (lane !== undefined) this.#transcripts.set(name, lane);
    return lane;
  }

  #open(session: GuardSession | undefined, to: LaneEnd): GuardedLane | undefined {
    if (session === undefined) return undefined;
    if (session.hook('llm-output') === undefined && session.pseudonyms.isEmpty) return undefined;
    const { words } = this.#o;
    const reader = { read: words.heard, skips: words.tellsNothing };
    const options = { session, form: { request: words.said }, request: () => ({}), ...this.#o.bounds() };
    return new GuardedLane(to, (host) => guardCode().messageGuard(options, reader, host));
  }

  #refuse(error: GatewayError): void {
    if (this.#isClosed) return;
    this.#error ??= error;
    const { words } = this.#o;
    const ids = [...this.#answers];
    this.#answers.clear();
    for (const id of ids) this.#refused.add(id);
    const cancels = ids.map((id) => words.cancel(id === '' ? undefined : id));
    const isStoppable = words.cancel(undefined) !== undefined;
    this.#side!.refused(error, isStoppable ? cancels.filter((each) => each !== undefined) : undefined);
    const end = this.#end;
    this.#end = undefined;
    if (end !== undefined) this.#side!.deliver(words.emptied(end.message), end.isBinary);
  }

  // ── turns ─────────────────────────────────────────────────────────────────

  /** The provider's last message of a turn comes; `call` is called when guards have said all they say of it. */
  onTurnEnds(call: (turn: GuardedTurn) => void): void {
    if (this.#isClosed) this.#tell(call);
    else this.#onTurnEnds.push(call);
  }

  #endTurns(): void {
    for (const call of this.#onTurnEnds.splice(0)) this.#tell(call);
  }

  #tell(call: (turn: GuardedTurn) => void): void {
    const guards = this.#opened?.guards;
    const error = this.#error;
    this.#error = undefined;
    this.#opened = undefined;
    if (guards === undefined) {
      call({ ...UNGUARDED, error });
      return;
    }
    this.#before = guards;
    guards.whenRecorded(() => {
      call({ error, json: guards.takeJson(), ruleIds: guards.plan.ruleIds });
      // A transcript may still be read by them.
      if (this.#transcripts.size === 0) guards.close();
    });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#answer?.abandon();
    for (const lane of this.#transcripts.values()) lane.abandon();
    this.#transcripts.clear();
    this.#endTurns();
  }

  #guards(): OrError<GuardSession | undefined> {
    if (this.#opened !== undefined) return this.#opened.guards;
    const guards = this.#o.open(this.#before);
    if (guards instanceof GatewayError) return guards;
    this.#opened = { guards };
    return guards;
  }
}

/** Guards that are asked beside the call of a chat are waited for: what is said cannot be taken back. */
function passed(verdict: InputVerdict, written: () => Buffer): OrError<Buffer> | Promise<OrError<Buffer>> {
  if (verdict instanceof GatewayError) return verdict;
  const { pending } = verdict;
  if (pending === undefined) return written();
  return pending.then(
    (error) => error ?? written(),
    (cause) => new GatewayError('internal_error', { cause }),
  );
}
