import { isArray, type JsonObject, objectOf, parseObject, stringOf } from '../codec/json-value.ts';
import { INTERNAL_ERROR, LIMIT_ERROR, RpcError } from '../mcp/protocol/json-rpc.ts';
import type { CallHolder, HeldUse, ToolUse } from '../mcp/servers/served.ts';
import type { FromMcpPort, McpHeld, McpHoldEnd, McpOutcome, McpRefusal, McpReleased } from '../threads/mcp-messages.ts';

export interface ReplyHolderOptions {
  readonly id: number;
  /** The gateway has limits of tools, and the call was not held against them. */
  readonly holds: boolean;
  /** What nested calls are made with, and what they give, is wanted. */
  readonly tellsCalls: boolean;
  readonly outcome: { -readonly [Key in keyof McpOutcome]: McpOutcome[Key] };
  post(message: FromMcpPort): void;
}

/** Asks the relay thread, which knows limits and guards, before a tool is called and before its result is given. */
export class ReplyHolder implements CallHolder {
  readonly nested: CallHolder = {
    hold: (use) => this.#nested(use),
    get nested() {
      return this;
    },
  };
  readonly #options: ReplyHolderOptions;
  /** By number of the hold; each is answered once. */
  #held: Map<number, Waiting<McpHeld>> | undefined;
  #released: Map<number, Waiting<McpReleased>> | undefined;
  #next = 1;
  #gone = false;

  constructor(options: ReplyHolderOptions) {
    this.#options = options;
  }

  async hold(use: ToolUse): Promise<undefined> {
    const { outcome, holds } = this.#options;
    if (use.costNanoUsd !== undefined) outcome.costNanoUsd = use.costNanoUsd;
    if (holds) await this.#ask(use, false);
  }

  heard(answer: McpHeld | McpReleased): void {
    if (answer.type === 'held') hand(this.#held, answer);
    else hand(this.#released, answer);
  }

  /** The client left: nobody would be told, and nobody pays. */
  gone(): void {
    this.#gone = true;
    for (const waiting of [this.#held, this.#released]) {
      for (const { reject } of waiting?.values() ?? []) reject(refusal(GONE));
      waiting?.clear();
    }
  }

  async #nested(use: ToolUse): Promise<HeldUse> {
    const { number, args, guarded } = await this.#ask(use, true);
    const { id, post, tellsCalls } = this.#options;
    const startedAt = performance.now();
    const release = (end: Omit<McpHoldEnd, 'upstreamMs'>): void =>
      post({ type: 'release', id, number, end: { ...end, upstreamMs: performance.now() - startedAt } });
    return {
      args: args === undefined ? undefined : parseObject(args),
      failed: async (error) => {
        const { code, message: detail } = error instanceof RpcError ? error : FAILED;
        const end = { failed: true, detail, bytesOut: 0 };
        if (guarded !== true) {
          release(end);
          return error;
        }
        const told = { content: [{ type: 'text', text: detail }] };
        release({ ...end, result: JSON.stringify(told) });
        return this.#guarded(number, told).then(
          (made) => new RpcError(code, textOf(made)),
          (refused: unknown) => refused,
        );
      },
      succeeded: async (result) => {
        const text = JSON.stringify(result);
        const end = { failed: result['isError'] === true, bytesOut: Buffer.byteLength(text) };
        release(tellsCalls ? { ...end, result: text } : end);
        return guarded === true ? this.#guarded(number, result) : result;
      },
    };
  }

  async #guarded(number: number, result: JsonObject): Promise<JsonObject> {
    this.#released ??= new Map();
    const { result: made } = await this.#answer(this.#released, number);
    return made === undefined ? result : (parseObject(made) ?? {});
  }

  #ask({ called, costNanoUsd, args }: ToolUse, nested: boolean): Promise<McpHeld> {
    const { id, post, tellsCalls } = this.#options;
    const number = this.#next;
    this.#next += 1;
    this.#held ??= new Map();
    const answer = this.#answer(this.#held, number);
    if (this.#gone) return answer;
    const text = nested ? JSON.stringify(args ?? {}) : '';
    const hold = { number, called, costNanoUsd, nested, bytesIn: Buffer.byteLength(text) };
    post({ type: 'hold', id, hold: nested && tellsCalls ? { ...hold, args: text } : hold });
    return answer;
  }

  #answer<T extends McpHeld | McpReleased>(waiting: Map<number, Waiting<T>>, number: number): Promise<T> {
    if (this.#gone) return Promise.reject(refusal(GONE));
    return new Promise((resolve, reject) => waiting.set(number, { resolve, reject }));
  }
}

const FAILED = new RpcError(INTERNAL_ERROR, 'The gateway failed.');

/** The words of an error that guards read as if it were a result. */
function textOf({ content }: JsonObject): string {
  const [first] = isArray(content) ? content : [];
  return stringOf(objectOf(first)?.['text']) ?? '';
}

interface Waiting<T> {
  resolve(answer: T): void;
  reject(error: RpcError): void;
}

function hand<T extends McpHeld | McpReleased>(waiting: Map<number, Waiting<T>> | undefined, answer: T): void {
  const { number, refused } = answer;
  const one = waiting?.get(number);
  waiting?.delete(number);
  if (refused) one?.reject(refusal(refused));
  else one?.resolve(answer);
}

const GONE: McpRefusal = { message: 'The client left.', code: 'client_closed' };

function refusal({ message, code, retryAfterMs }: McpRefusal): RpcError {
  return new RpcError(LIMIT_ERROR, message, { code, ...(retryAfterMs !== undefined && { retryAfterMs }) });
}
