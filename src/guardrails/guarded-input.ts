import { parseExactObject } from '../codec/exact-json.ts';
import type { JsonObject } from '../codec/json-value.ts';
import type { GatewayError } from '../core/errors.ts';
import type { TextSlot } from '../dialects/guarded-form.ts';
import { Channel, guardedText } from './channel.ts';
import type { GuardQuestion, GuardText } from './guard.ts';
import { setText, textOf } from './guarded-answer.ts';
import type { HookPlan, PlannedGuard } from './plan.ts';
import { type GuardSession, LocalTally } from './session.ts';

/** What guards of the input came to. */
export interface GuardedInput {
  /** The request as it goes on; undefined: nothing in it was changed. */
  readonly body: Buffer | undefined;
  readonly request: JsonObject;
  /** What is still asked, beside the call: why the exchange is refused after all. Undefined: nothing is. */
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
  return request && new InputCheck(guarding, request).run();
}

class InputCheck {
  readonly #g: InputGuarding;
  readonly #request: JsonObject;
  readonly #slots: readonly TextSlot[];
  #changed = false;

  constructor(guarding: InputGuarding, request: JsonObject) {
    this.#g = guarding;
    this.#request = request;
    this.#slots = guarding.slots(request);
  }

  run(): InputVerdict | Promise<InputVerdict> {
    const { plan, session } = this.#g;
    const error = this.#local();
    if (error) return error;
    const first = plan.validators.filter(({ guard }) => guard.isLocal || !session.settings.parallel);
    const beside = plan.validators.filter((each) => !first.includes(each));
    if (plan.mutators.length === 0 && first.length === 0) return this.#outcome(beside);
    return this.#others(first).then((refused) => refused ?? this.#outcome(beside));
  }

  #local(): GatewayError | undefined {
    const { plan, session, hook } = this.#g;
    const tally = new LocalTally();
    const began = performance.now();
    for (const slot of this.#slots) {
      const channel = new Channel(slot.kind, plan, session, tally, 'asked');
      this.#changed = setText(slot, guardedText(textOf(slot), channel)) || this.#changed;
    }
    tally.ms = performance.now() - began;
    return session.noteLocal(hook, plan, tally);
  }

  async #others(first: readonly PlannedGuard[]): Promise<GatewayError | undefined> {
    const { plan, session, hook } = this.#g;
    const texts = await session.mutate(hook, plan.mutators, this.#question());
    if (!Array.isArray(texts)) return texts as GatewayError;
    for (const [at, slot] of this.#slots.entries())
      this.#changed = setText(slot, texts[at] ?? textOf(slot)) || this.#changed;
    return session.validate(hook, first, this.#question());
  }

  #outcome(beside: readonly PlannedGuard[]): GuardedInput {
    const { session, hook } = this.#g;
    return {
      body: this.#changed ? Buffer.from(JSON.stringify(this.#request)) : undefined,
      request: this.#request,
      pending: beside.length > 0 ? session.validate(hook, beside, this.#question()) : undefined,
    };
  }

  #question(): GuardQuestion {
    const { session, hook } = this.#g;
    const texts = this.#slots.map((slot): GuardText => ({ text: textOf(slot), kind: slot.kind, role: slot.role }));
    return { hook, exchange: session.exchange, texts, request: this.#request };
  }
}
