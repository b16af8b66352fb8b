import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import type { KeptEvents } from '../store/background-responses.ts';
import type { KeptChain, KeptResponse } from '../store/responses.ts';
import type {
  ResponseAnswer,
  ResponseAnswerMessage,
  ResponseKey,
  ResponseProgress,
  ResponseQuestion,
  ResponseQuestionMessage,
} from '../threads/response-messages.ts';
import { ConversationRows, errorOf } from './conversation-rows.ts';
import { DatabaseQuestions } from './database-questions.ts';

export interface ResponseRowsOptions {
  readonly thread: number;
  send(message: ResponseQuestionMessage): void;
}

/** Kept answers, asked of the thread that has the database. */
export class ResponseRows {
  readonly conversations: ConversationRows;
  readonly #questions: DatabaseQuestions<ResponseQuestion, ResponseAnswer>;

  constructor({ thread, send }: ResponseRowsOptions) {
    this.#questions = new DatabaseQuestions({
      send: (number, question) => send({ type: 'responses-ask', thread, number, question }),
      away: { kind: 'away' },
    });
    this.conversations = new ConversationRows((question) => this.#questions.ask(question));
  }

  /** Resolves when it is kept, or cannot be. */
  async keep(response: KeptResponse): Promise<GatewayError | undefined> {
    const answer = await this.#questions.ask({ kind: 'keep', response });
    return answer.kind === 'done' ? undefined : errorOf(answer);
  }

  async find(id: string, owner: string): Promise<OrError<KeptResponse>> {
    const answer = await this.#questions.ask({ kind: 'find', id, owner });
    return answer.kind === 'response' ? answer.response : errorOf(answer);
  }

  async chain(id: string, owner: string, maxBytes: number): Promise<OrError<KeptChain>> {
    const answer = await this.#questions.ask({ kind: 'chain', id, owner, maxBytes });
    if (answer.kind === 'chain') return answer.chain;
    const param = 'previous_response_id';
    if (answer.kind === 'not-ended' || answer.kind === 'in-conversation') {
      const why =
        answer.kind === 'not-ended' ? 'has not ended' : 'belongs to a conversation: name that in `conversation`';
      const detail = `\`${param}\`: the response \`${id.slice(0, 80)}\` ${why}.`;
      return new GatewayError('invalid_parameter', { param, detail });
    }
    if (answer.kind === 'absent') {
      const detail = `\`${param}\`: no response \`${id.slice(0, 80)}\` is kept for this caller.`;
      return new GatewayError('previous_response_not_found', { param, detail });
    }
    if (answer.kind === 'too-long') {
      const detail = `\`${param}\`: the conversation has more than ${maxBytes} bytes, or 1,000 turns.`;
      return new GatewayError('invalid_parameter', { param, detail, setting: `limits.max_body_bytes: ${maxBytes}` });
    }
    return errorOf(answer);
  }

  async delete(id: string, owner: string): Promise<GatewayError | undefined> {
    const answer = await this.#questions.ask({ kind: 'delete', id, owner });
    return answer.kind === 'done' ? undefined : errorOf(answer);
  }

  /** False: it is no longer wanted. */
  async advance(progress: ResponseProgress): Promise<OrError<boolean>> {
    const answer = await this.#questions.ask({ kind: 'advance', progress });
    if (answer.kind === 'done') return true;
    return answer.kind === 'absent' ? false : errorOf(answer);
  }

  /** Those that are still wanted. */
  async renew(keys: readonly ResponseKey[], leaseUntil: number): Promise<OrError<readonly ResponseKey[]>> {
    const answer = await this.#questions.ask({ kind: 'renew', keys, leaseUntil });
    return answer.kind === 'renewed' ? answer.keys : errorOf(answer);
  }

  async cancel(key: ResponseKey): Promise<OrError<KeptResponse>> {
    const answer = await this.#questions.ask({ kind: 'cancel', key });
    if (answer.kind === 'response') return answer.response;
    if (answer.kind !== 'not-background') return errorOf(answer);
    const detail = '`response_id`: only a response that was asked for with `background` can be cancelled.';
    return new GatewayError('invalid_parameter', { param: 'response_id', detail });
  }

  /** Undefined: none is kept behind that one. */
  async events(key: ResponseKey, after: number): Promise<OrError<KeptEvents | undefined>> {
    const answer = await this.#questions.ask({ kind: 'events', key, after });
    if (answer.kind === 'events') return answer.events;
    return answer.kind === 'absent' ? undefined : errorOf(answer);
  }

  hear({ number, answer }: ResponseAnswerMessage): void {
    this.#questions.hear(number, answer);
  }
}
