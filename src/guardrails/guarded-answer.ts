import { ByteList } from '../codec/byte-list.ts';
import { parseExactObject } from '../codec/exact-json.ts';
import { type JsonObject, parseObject } from '../codec/json-value.ts';
import { GatewayError } from '../core/errors.ts';
import type { GuardedForm, TextSlot } from '../dialects/guarded-form.ts';
import { AnswerFilter, type FilterHost, type Shortened } from '../relay/answer-filter.ts';
import type { HeldMemory } from '../relay/held-memory.ts';
import { Channel, guardedText } from './channel.ts';
import type { GuardQuestion } from './guard.ts';
import type { HookPlan } from './plan.ts';
import { type GuardSession, LocalTally } from './session.ts';

/** What the filters of an output share. */
export interface OutputGuarding {
  readonly session: GuardSession;
  /** Undefined: nothing is asked, and what was replaced is put back. */
  readonly plan: HookPlan | undefined;
  readonly form: GuardedForm;
  /** The request, parsed when a guard asks for it. */
  readonly request: () => JsonObject;
  readonly memory: HeldMemory;
  readonly maxHeldBytes: number;
}

/** Why an answer cannot be held as long as its guards need. */
export function tooMuchHeld({ maxHeldBytes, memory }: OutputGuarding, bytes: number): GatewayError | undefined {
  if (bytes > maxHeldBytes) {
    return new GatewayError('upstream_too_large', { setting: `limits.max_translate_bytes: ${maxHeldBytes}` });
  }
  return memory.mayHold(bytes) ? undefined : new GatewayError('upstream_too_large', { setting: memory.setting });
}

/** An answer that is no stream: nothing of it leaves before all guards have read it. */
export class GuardedAnswer extends AnswerFilter {
  readonly #o: OutputGuarding;
  #pieces = new ByteList();
  #contentType = '';
  #over = false;

  constructor(host: FilterHost, options: OutputGuarding) {
    super(host);
    this.#o = options;
  }

  override commit(contentType: string): void {
    this.#contentType = contentType;
  }

  override write(bytes: Buffer): void {
    if (this.#over) return;
    this.#pieces.push(bytes);
    const fault = tooMuchHeld(this.#o, this.#pieces.length);
    if (fault) this.#fail(fault);
  }

  override finish(last?: Buffer): void {
    this.#end(last, (made) => this.host.finish(made));
  }

  override shorten(ending: Buffer, shortened: Shortened): void {
    this.#end(ending, (made) => this.host.shorten(made, shortened));
  }

  override close(): void {
    this.#over = true;
    this.#o.memory.release();
  }

  #end(last: Buffer | undefined, done: (made: Buffer) => void): void {
    if (last) this.write(last);
    if (this.#over) return;
    const whole = this.#pieces.whole();
    const made = this.#guarded(whole);
    if (made instanceof Promise) {
      made.then(
        (answer) => this.#deliver(answer, done),
        (cause) => this.#fail(new GatewayError('internal_error', { cause })),
      );
    } else this.#deliver(made, done);
  }

  #deliver(made: Buffer | GatewayError, done: (made: Buffer) => void): void {
    if (this.#over) return;
    if (made instanceof GatewayError) {
      this.#fail(made);
      return;
    }
    this.#over = true;
    this.host.commit(this.#contentType);
    done(made);
  }

  #fail(error: GatewayError): void {
    if (this.#over) return;
    this.#over = true;
    this.#pieces = new ByteList();
    this.host.fail(error);
  }

  #guarded(whole: Buffer): Buffer | GatewayError | Promise<Buffer | GatewayError> {
    const { form, plan, session, request } = this.#o;
    const slots = (body: JsonObject): TextSlot[] => form.answer?.(body) ?? [];
    return guardBody({ session, plan, hook: 'llm-output', slots, request }, whole);
  }
}

/** Where words stand in what came back, and how guards are asked of them. */
export interface BodyGuarding {
  readonly session: GuardSession;
  readonly plan: HookPlan | undefined;
  readonly hook: 'llm-output' | 'mcp-post';
  slots(body: JsonObject): TextSlot[];
  request(): JsonObject;
}

/** A whole body of JSON as guards leave it, or why nobody gets it. */
export function guardBody(
  { session, plan, hook, slots: slotsOf, request }: BodyGuarding,
  whole: Buffer,
): Buffer | GatewayError | Promise<Buffer | GatewayError> {
  const body = parseExactObject(whole.toString());
  // What is no JSON is told as it is by whoever knows what it is; guards read words.
  if (body === undefined) return whole;
  const slots = slotsOf(body);
  const tally = new LocalTally();
  const began = performance.now();
  let changed = false;
  for (const slot of slots) {
    const channel = new Channel(slot.kind, plan, session, tally);
    changed = setText(slot, guardedText(textOf(slot), channel)) || changed;
  }
  tally.ms = performance.now() - began;
  const error = plan && session.noteLocal(hook, plan, tally);
  if (error) return error;
  const made = (): Buffer => (changed ? Buffer.from(JSON.stringify(body)) : whole);
  if (plan === undefined || (plan.mutators.length === 0 && plan.validators.length === 0)) return made();
  const texts = slots.map((slot) => ({ text: textOf(slot), kind: slot.kind }));
  const response = parseObject(made().toString()) ?? {};
  const question: GuardQuestion = { hook, exchange: session.exchange, texts, request: request(), response };
  return askAll(session, plan, question).then((answer) => {
    if (answer instanceof GatewayError) return answer;
    for (const [at, slot] of slots.entries()) changed = setText(slot, answer[at] ?? textOf(slot)) || changed;
    return made();
  });
}

/** What changes first, then what looks at what came of it. */
export async function askAll(
  session: GuardSession,
  plan: HookPlan,
  question: GuardQuestion,
): Promise<readonly string[] | GatewayError> {
  const texts = await session.mutate(question.hook, plan.mutators, question);
  if (texts instanceof GatewayError) return texts;
  const left = { ...question, texts: question.texts.map((each, at) => ({ ...each, text: texts[at] ?? each.text })) };
  return (await session.validate(question.hook, plan.validators, left)) ?? texts;
}

export function textOf({ holder, key }: TextSlot): string {
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
