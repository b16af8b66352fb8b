import { ByteList } from '../codec/byte-list.ts';
import { parseExactObject } from '../codec/exact-json.ts';
import { type JsonObject, parseObject } from '../codec/json-value.ts';
import { GatewayError } from '../core/errors.ts';
import type { GuardedForm, TextSlot } from '../dialects/guarded-form.ts';
import { AnswerFilter, type FilterHost, type Shortened } from '../relay/answer-filter.ts';
import type { HeldMemory } from '../relay/held-memory.ts';
import type { GuardQuestion, GuardSubject } from './guard.ts';
import type { Framing } from './held-event.ts';
import { guardLocally, type LocalOutcome, setText, textOf } from './local-guarding.ts';
import type { HookPlan } from './plan.ts';
import type { GuardSession } from './session.ts';

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
  readonly framing: Framing;
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
    return guardBody({ session, plan, hook: 'llm-output', slots, request, isPlain: form.isPlain }, whole);
  }
}

/** Where words stand in what came back, and how guards are asked of them. */
export interface BodyGuarding {
  readonly session: GuardSession;
  readonly plan: HookPlan | undefined;
  readonly hook: 'llm-output' | 'mcp-post';
  slots(body: JsonObject): TextSlot[];
  request(): JsonObject;
  /** A body that is no JSON is one text. */
  readonly isPlain?: true | undefined;
}

/** A whole body as guards leave it, or why nobody gets it. */
export function guardBody(
  guarding: BodyGuarding,
  whole: Buffer,
): Buffer | GatewayError | Promise<Buffer | GatewayError> {
  const json = parseExactObject(whole.toString());
  // A body that is no JSON passes as it is, unless the form says that it is a text.
  if (json === undefined && !guarding.isPlain) return whole;
  return new BodyCheck(guarding, whole, json).run();
}

class BodyCheck implements GuardSubject {
  readonly #g: BodyGuarding;
  readonly #whole: Buffer;
  readonly #isJson: boolean;
  readonly #body: JsonObject;
  #slots: readonly TextSlot[];
  #changed = false;

  constructor(guarding: BodyGuarding, whole: Buffer, json: JsonObject | undefined) {
    this.#g = guarding;
    this.#whole = whole;
    this.#isJson = json !== undefined;
    this.#body = json ?? { text: whole.toString() };
    this.#slots = guarding.slots(this.#body);
  }

  run(): Buffer | GatewayError | Promise<Buffer | GatewayError> {
    const { session, plan } = this.#g;
    const outcome = guardLocally(this.#slots, { session, plan, side: 'answered' });
    return outcome instanceof Promise ? outcome.then((each) => this.#guarded(each)) : this.#guarded(outcome);
  }

  #guarded(local: LocalOutcome): Buffer | GatewayError | Promise<Buffer | GatewayError> {
    const { session, plan, hook } = this.#g;
    this.#changed = local.changed;
    const error = plan && session.noteLocal(hook, plan, local);
    if (error) return error;
    if (plan === undefined || (plan.mutators.length === 0 && plan.validators.length === 0)) return this.#made();
    return askAll(session, plan, hook, this).then((refused) => refused ?? this.#made());
  }

  question(): GuardQuestion {
    const { session, hook, request } = this.#g;
    const texts = this.#slots.map((slot) => ({ text: textOf(slot), kind: slot.kind }));
    const response = this.#isJson ? (parseObject(this.#written()) ?? {}) : this.#body;
    return { hook, exchange: session.exchange, texts, request: request(), response };
  }

  setTexts(texts: readonly string[]): void {
    for (const [at, slot] of this.#slots.entries())
      this.#changed = setText(slot, texts[at] ?? textOf(slot)) || this.#changed;
  }

  replace(parts: JsonObject): void {
    this.#changed = true;
    Object.assign(this.#body, parts);
    this.#slots = this.#g.slots(this.#body);
  }

  #made(): Buffer {
    return this.#changed ? Buffer.from(this.#written()) : this.#whole;
  }

  #written(): string {
    return this.#isJson ? JSON.stringify(this.#body) : textOf({ holder: this.#body, key: 'text' });
  }
}

/** What changes first, then what looks at what came of it. */
export async function askAll(
  session: GuardSession,
  plan: HookPlan,
  hook: 'llm-output' | 'mcp-post',
  subject: GuardSubject,
): Promise<GatewayError | undefined> {
  const refused = await session.mutate(hook, plan.mutators, subject);
  return refused ?? session.validate(hook, plan.validators, subject.question());
}
