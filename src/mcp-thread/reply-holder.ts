import { LIMIT_ERROR, RpcError } from '../mcp/protocol/json-rpc.ts';
import type { CallHolder, ToolEnd, ToolUse } from '../mcp/servers/served.ts';
import type { FromMcpPort, McpHoldEnd, McpOutcome, ToMcpPort } from '../threads/mcp-messages.ts';

export interface ReplyHolderOptions {
  readonly id: number;
  /** The gateway has limits of tools, and the call was not held against them. */
  readonly holds: boolean;
  readonly outcome: { -readonly [Key in keyof McpOutcome]: McpOutcome[Key] };
  post(message: FromMcpPort): void;
}

type Answer = Extract<ToMcpPort, { type: 'held' }>;

/** Asks the relay thread, which knows the limits, before a tool is called. */
export class ReplyHolder implements CallHolder {
  readonly nested: CallHolder = {
    hold: (use) => this.#nested(use),
    get nested() {
      return this;
    },
  };
  readonly #options: ReplyHolderOptions;
  readonly #waiting = new Map<number, (refused: Answer['refused']) => void>();
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

  async #nested(use: ToolUse): Promise<(end: ToolEnd) => void> {
    const number = await this.#ask(use, true);
    const { id, post } = this.#options;
    const startedAt = performance.now();
    return (end) => post({ type: 'release', id, number, end: toldEnd(end, performance.now() - startedAt) });
  }

  heard({ number, refused }: Answer): void {
    this.#waiting.get(number)?.(refused);
    this.#waiting.delete(number);
  }

  /** The client left: nobody would be told, and nobody pays. */
  gone(): void {
    this.#gone = true;
    for (const answer of this.#waiting.values()) answer(GONE);
    this.#waiting.clear();
  }

  #ask({ called, costNanoUsd, args }: ToolUse, nested: boolean): Promise<number> {
    const { id, post } = this.#options;
    const number = this.#next;
    this.#next += 1;
    return new Promise((resolve, reject) => {
      if (this.#gone) {
        reject(refusal(GONE));
        return;
      }
      this.#waiting.set(number, (refused) => {
        if (refused) reject(refusal(refused));
        else resolve(number);
      });
      const bytesIn = nested ? Buffer.byteLength(JSON.stringify(args ?? {})) : 0;
      post({ type: 'hold', id, hold: { number, called, costNanoUsd, nested, bytesIn } });
    });
  }
}

const GONE = { message: 'The client left.', code: 'client_closed' };

function refusal({ message, code, retryAfterMs }: NonNullable<Answer['refused']>): RpcError {
  return new RpcError(LIMIT_ERROR, message, { code, ...(retryAfterMs !== undefined && { retryAfterMs }) });
}

function toldEnd(end: ToolEnd, upstreamMs: number): McpHoldEnd {
  if ('result' in end) {
    const bytesOut = Buffer.byteLength(JSON.stringify(end.result));
    return { failed: end.result['isError'] === true, bytesOut, upstreamMs };
  }
  const detail = end.error instanceof RpcError ? end.error.message : 'The gateway failed.';
  return { failed: true, detail, bytesOut: 0, upstreamMs };
}
