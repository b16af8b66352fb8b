import { parseExactObject } from '../codec/exact-json.ts';
import type { JsonObject } from '../codec/json-value.ts';
import type { GatewayError } from '../core/errors.ts';
import type { TextSlot } from '../dialects/guarded-form.ts';
import type { GuardQuestion, GuardSubject, GuardText } from './guard.ts';
import { guardLocally, type LocalOutcome, setText, textOf } from './local-guarding.ts';
import type { HookPlan, PlannedGuard } from './plan.ts';
import type { GuardSession } from './session.ts';

/** What guards of the input came to. */
export interface GuardedInput {
  /** The request as it goes on; undefined: nothing in it was changed. */
  readonly body: Buffer | undefined;
  readonly request: JsonObject;
  /** Guards that are still asked, beside the call: why the exchange is refused after all. Undefined: none is. */
  readonly pending: Promise<GatewayError | undefined> | undefined;
}

export type InputVerdict = GuardedInput | GatewayError;

/** Where words stand in a request, and how guards are asked of them. */
export interface InputGuarding {
  readonly session: GuardSession;
  readonly hook: 'llm-input' | 'mcp-pre';
  readonly plan: HookPlan;
  slots(body: JsonObject): TextSlot[];
}

/** Undefined: the body is no JSON object. What local guards find is known at once, what others say may be later. */
export function guardInput(guarding: InputGuarding, body: Buffer): InputVerdict | Promise<InputVerdict> | undefined {
  const request = parseExactObject(body.toString());
  return request && guardParsed(guarding, request);
}

/** As `guardInput`, of what was parsed: it is changed in its place. */
export function guardParsed(guarding: InputGuarding, request: JsonObject): InputVerdict | Promise<InputVerdict> {
  return new InputCheck(guarding, request).run();
}

class InputCheck implements GuardSubject {
  readonly #g: InputGuarding;
  readonly #request: JsonObject;
  #slots: readonly TextSlot[];
  #changed = false;

  constructor(guarding: InputGuarding, request: JsonObject) {
    this.#g = guarding;
    this.#request = request;
    this.#slots = guarding.slots(request);
  }

  run(): InputVerdict | Promise<InputVerdict> {
    const { plan, session } = this.#g;
    const outcome = guardLocally(this.#slots, { session, plan, side: 'asked' });
    return outcome instanceof Promise ? outcome.then((each) => this.#askOthers(each)) : this.#askOthers(outcome);
  }

  #askOthers(local: LocalOutcome): InputVerdict | Promise<InputVerdict> {
    const { plan, session, hook } = this.#g;
    this.#changed = local.changed;
    const error = session.noteLocal(hook, plan, local);
    if (error) return error;
    const first = plan.validators.filter(({ guard }) => guard.isLocal || !session.settings.parallel);
    const beside = plan.validators.filter((each) => !first.includes(each));
    if (plan.mutators.length === 0 && first.length === 0) return this.#outcome(beside);
    return this.#others(first).then((refused) => refused ?? this.#outcome(beside));
  }

  async #others(first: readonly PlannedGuard[]): Promise<GatewayError | undefined> {
    const { plan, session, hook } = this.#g;
    const refused = await session.mutate(hook, plan.mutators, this);
    return refused ?? session.validate(hook, first, this.question());
  }

  #outcome(beside: readonly PlannedGuard[]): GuardedInput {
    const { session, hook } = this.#g;
    return {
      body: this.#changed ? Buffer.from(JSON.stringify(this.#request)) : undefined,
      request: this.#request,
      pending: beside.length > 0 ? session.validate(hook, beside, this.question()) : undefined,
    };
  }

  setTexts(texts: readonly string[]): void {
    for (const [at, slot] of this.#slots.entries())
      this.#changed = setText(slot, texts[at] ?? textOf(slot)) || this.#changed;
  }

  replace(parts: JsonObject): void {
    this.#changed = true;
    Object.assign(this.#request, parts);
    this.#slots = this.#g.slots(this.#request);
  }

  question(): GuardQuestion {
    const { session, hook } = this.#g;
    const texts = this.#slots.map((slot): GuardText => ({ text: textOf(slot), kind: slot.kind, role: slot.role }));
    return { hook, exchange: session.exchange, texts, request: this.#request };
  }
}
