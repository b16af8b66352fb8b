import { randomBytes } from 'node:crypto';
import { isObject, type JsonObject } from '../../codec/json-value.ts';
import { INTERNAL_ERROR, INVALID_PARAMS, RpcError } from '../protocol/json-rpc.ts';
import type { Call, CallHooks } from '../upstream/peer.ts';
import { unanswerable } from './results.ts';

interface Question {
  readonly method: string;
  readonly params: JsonObject;
  resolve(result: JsonObject): void;
  reject(error: Error): void;
}

/** What a held call has for the client that waits now. */
export type Turn = { readonly result: JsonObject } | { readonly questions: JsonObject };

/** Calls that wait for clients at once, and those of one subject: nobody crowds out the others. */
const MAX_HELD = 1_000;
const MAX_OF_ONE = 100;
/** An old server that asks several things at once sends them one by one: its client gets them together. */
const GATHER_MS = 25;

/**
 * A call to an old server that asks a client of the modern era. Such a client is never asked: it gets the questions as a
 * result, and comes again with the answers. Meanwhile the call to the server stays open here.
 */
export class HeldCall {
  #id: string | undefined;
  /** Made with the first: nearly no call ever asks. */
  #questions: Map<string, Question> | undefined;
  #call: Call | undefined;
  #gathering: NodeJS.Timeout | undefined;
  #next = 1;
  #waiting: { resolve(turn: Turn): void; reject(error: unknown): void } | undefined;
  #over: { readonly result: JsonObject } | { readonly error: unknown } | undefined;
  notify: CallHooks['notify'] = () => undefined;
  timer: NodeJS.Timeout | undefined;

  begin(capabilities: JsonObject, call: (hooks: CallHooks) => Call): void {
    const hooks: CallHooks = {
      notify: (method, params) => this.notify(method, params),
      ask: (method, params) => unanswerableOr(method, capabilities, () => this.#ask(method, params)),
    };
    this.#call = call(hooks);
    this.#call.result.then(
      (result) => {
        this.#over = { result };
        this.#waiting?.resolve(this.#over);
      },
      (error: unknown) => {
        this.#over = { error };
        this.#waiting?.reject(error);
      },
    );
  }

  /** Made when it is first held: nearly no call ever is. */
  get id(): string {
    this.#id ??= randomBytes(16).toString('base64url');
    return this.#id;
  }

  /** What there is for the client now: the result, or questions. One waits at a time. */
  turn(): Promise<Turn> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      if (this.#questions && this.#questions.size > 0 && !this.#gathering) resolve({ questions: this.#asJson() });
      else if (this.#over && 'result' in this.#over) resolve(this.#over);
      else if (this.#over) reject(this.#over.error);
    });
  }

  /** Answers of the client, by the keys of the questions; one that is missing is asked again. */
  answer(responses: JsonObject): void {
    for (const [key, question] of this.#questions ?? []) {
      const response = Object.hasOwn(responses, key) ? responses[key] : undefined;
      if (!isObject(response)) continue;
      this.#questions?.delete(key);
      question.resolve(response);
    }
  }

  /** `why`: what its server is told whose questions wait. */
  cancel(why = new RpcError(INTERNAL_ERROR, 'The client did not answer.')): void {
    clearTimeout(this.#gathering);
    this.#call?.cancel();
    for (const { reject } of this.#questions?.values() ?? []) reject(why);
    this.#questions?.clear();
  }

  #ask(method: string, params: JsonObject): Promise<JsonObject> {
    return new Promise((resolve, reject) => {
      this.#questions ??= new Map();
      this.#questions.set(`q${this.#next}`, { method, params, resolve, reject });
      this.#next += 1;
      this.#gathering ??= setTimeout(() => {
        this.#gathering = undefined;
        if (this.#questions && this.#questions.size > 0) this.#waiting?.resolve({ questions: this.#asJson() });
      }, GATHER_MS);
    });
  }

  #asJson(): JsonObject {
    return Object.fromEntries(
      [...(this.#questions ?? [])].map(([key, { method, params }]) => [key, { method, params }]),
    );
  }
}

function unanswerableOr(method: string, capabilities: JsonObject, ask: () => Promise<JsonObject>): Promise<JsonObject> {
  const refused = unanswerable(method, capabilities);
  return refused ? Promise.reject(refused) : ask();
}

/** Those that wait for their clients, each for so long as a call may take. */
export class HeldCalls {
  readonly #held = new Map<string, { readonly call: HeldCall; readonly subject: string }>();
  readonly #ofSubject = new Map<string, number>();

  get size(): number {
    return this.#held.size;
  }

  keep(call: HeldCall, subject: string, forMs: number): RpcError | undefined {
    const ofOne = this.#ofSubject.get(subject) ?? 0;
    if (this.#held.size >= MAX_HELD || ofOne >= MAX_OF_ONE) {
      return new RpcError(INTERNAL_ERROR, 'Too many calls wait for answers of clients.');
    }
    this.#held.set(call.id, { call, subject });
    this.#ofSubject.set(subject, ofOne + 1);
    clearTimeout(call.timer);
    call.timer = setTimeout(() => {
      this.#forget(call.id);
      call.cancel();
    }, forMs);
    return undefined;
  }

  /** It waits no more; undefined: there is none. */
  find(id: string): HeldCall | undefined {
    const call = this.#forget(id);
    clearTimeout(call?.timer);
    return call;
  }

  /** It waits no more. Throws an RpcError where there is none: it waited too long, or on another gateway. */
  take(id: string): HeldCall {
    const call = this.find(id);
    if (!call) throw new RpcError(INVALID_PARAMS, 'This `requestState` is over; make the call again without it.');
    return call;
  }

  close(): void {
    for (const { call } of this.#held.values()) {
      clearTimeout(call.timer);
      call.cancel();
    }
    this.#held.clear();
    this.#ofSubject.clear();
  }

  #forget(id: string): HeldCall | undefined {
    const held = this.#held.get(id);
    if (held === undefined) return undefined;
    this.#held.delete(id);
    const left = (this.#ofSubject.get(held.subject) ?? 1) - 1;
    if (left > 0) this.#ofSubject.set(held.subject, left);
    else this.#ofSubject.delete(held.subject);
    return held.call;
  }
}
