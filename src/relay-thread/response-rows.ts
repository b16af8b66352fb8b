import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import type { KeptChain, KeptResponse } from '../store/responses.ts';
import type {
  ResponseAnswer,
  ResponseAnswerMessage,
  ResponseQuestion,
  ResponseQuestionMessage,
} from '../threads/response-messages.ts';
import { DatabaseQuestions } from './database-questions.ts';
import { RETRY_AFTER_MS } from './file-rows.ts';

export interface ResponseRowsOptions {
  readonly thread: number;
  send(message: ResponseQuestionMessage): void;
}

/** What is known of kept answers, asked of the thread that has the database. */
export class ResponseRows {
  readonly #questions: DatabaseQuestions<ResponseQuestion, ResponseAnswer>;

  constructor({ thread, send }: ResponseRowsOptions) {
    this.#questions = new DatabaseQuestions({
      send: (number, question) => send({ type: 'responses-ask', thread, number, question }),
      away: { kind: 'away' },
    });
  }

  /** Resolves when it is kept, or cannot be. */
  async keep(response: KeptResponse): Promise<void> {
    await this.#questions.ask({ kind: 'keep', response });
  }

  async find(id: string, owner: string): Promise<OrError<KeptResponse>> {
    const answer = await this.#questions.ask({ kind: 'find', id, owner });
    return answer.kind === 'response' ? answer.response : errorOf(answer);
  }

  async chain(id: string, owner: string, maxBytes: number): Promise<OrError<KeptChain>> {
    const answer = await this.#questions.ask({ kind: 'chain', id, owner, maxBytes });
    if (answer.kind === 'chain') return answer.chain;
    const param = 'previous_response_id';
    if (answer.kind === 'absent') {
      const detail = `\`${param}\`: no response \`${id.slice(0, 80)}\` is kept for this caller.`;
      return new GatewayError('invalid_parameter', { param, detail, upstreamCode: 'previous_response_not_found' });
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

  hear({ number, answer }: ResponseAnswerMessage): void {
    this.#questions.hear(number, answer);
  }
}

function errorOf({ kind }: ResponseAnswer): GatewayError {
  if (kind === 'absent') return new GatewayError('not_found');
  if (kind === 'away') return new GatewayError('database_away', { retryAfterMs: RETRY_AFTER_MS });
  return new GatewayError('internal_error', { cause: `responses: ${kind}` });
}
