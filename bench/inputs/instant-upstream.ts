import type { Limits, Timeouts } from '../../src/config/server/limits.ts';
import type { AttemptControl, LocalResponder } from '../../src/providers/provider.ts';
import { HeadLines } from '../../src/upstream/head-lines.ts';
import type { OriginConnection } from '../../src/upstream/origin-connection.ts';
import { type Dispatchable, OriginPool } from '../../src/upstream/origin-pool.ts';
import { OriginPools } from '../../src/upstream/origin-pools.ts';
import { RequestHeads } from '../../src/upstream/request-head.ts';

/** A provider's answer, as it comes off the wire. */
export interface CannedAnswer {
  readonly headers: Record<string, string>;
  readonly chunks: readonly Buffer[];
}

/** What the provider was sent last. */
export interface Sent {
  path: string;
  headers: readonly string[];
  body: Buffer;
}

const NO_CONTROL: AttemptControl = { pause: () => undefined, resume: () => undefined, abort: () => undefined };

/** Answers from inside the process, within the call. */
export function instantResponder(answer: CannedAnswer, sent: Sent): LocalResponder {
  return ({ path, body }, handler) => {
    sent.path = path;
    sent.body = body;
    handler.started(200, answer.headers);
    for (const chunk of answer.chunks) handler.chunk(chunk);
    handler.ended();
    return NO_CONTROL;
  };
}

/** In the place of a connection: drives the callbacks of an attempt in its order, within the call. */
export class InstantPools extends OriginPools {
  readonly #pool: OriginPool;

  constructor(limits: Limits, timeouts: Timeouts, answer: CannedAnswer, sent: Sent) {
    super(limits, timeouts);
    this.#pool = new InstantPool(answer, sent);
  }

  override get(): OriginPool {
    return this.#pool;
  }
}

/** One connection that is free at once and always: nothing is read from a socket, and so nothing to wait for. */
class InstantPool extends OriginPool {
  readonly #answer: CannedAnswer;
  readonly #sent: Sent;

  constructor(answer: CannedAnswer, sent: Sent) {
    super(noAccess, 1, 0);
    this.#answer = answer;
    this.#sent = sent;
  }

  override enter(attempt: Dispatchable): boolean {
    const { path, headers, body } = attempt.dispatchOptions(CONNECTION);
    this.#sent.path = path;
    this.#sent.headers = headers as string[];
    this.#sent.body = body as Buffer;
    attempt.onRequestStart(NO_CONTROL);
    attempt.answerHead(200, this.#answer.headers);
    for (const chunk of this.#answer.chunks) attempt.answerBody(chunk, 1);
    attempt.answerEnd();
    return true;
  }

  override free(): void {}
}

const noAccess = {
  heads: new RequestHeads('nowhere'),
  lines: new HeadLines(),
  connect: undefined,
  client: (): never => {
    throw new Error('nothing is connected here');
  },
};

const CONNECTION = {} as unknown as OriginConnection;
