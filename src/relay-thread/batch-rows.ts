import type { BatchDesk } from '../batches/batch-runner.ts';
import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import type { AdvancedPieces, PieceProgress } from '../store/batch-pieces.ts';
import type { BatchFilter, StoredBatch } from '../store/batches.ts';
import type { KeptProviderBatch } from '../store/provider-batches.ts';
import {
  type BatchAnswer,
  type BatchAnswerMessage,
  type BatchQuestion,
  type BatchQuestionMessage,
  buffersOf,
  type NewBatch,
} from '../threads/batch-messages.ts';
import { DatabaseQuestions } from './database-questions.ts';
import { RETRY_AFTER_MS } from './file-rows.ts';

export interface BatchRowsOptions {
  readonly thread: number;
  send(message: BatchQuestionMessage, transfer: readonly ArrayBuffer[]): void;
}

/** Batches, asked of the thread that has the database. */
export class BatchRows implements BatchDesk {
  readonly #questions: DatabaseQuestions<BatchQuestion, BatchAnswer>;

  constructor({ thread, send }: BatchRowsOptions) {
    this.#questions = new DatabaseQuestions({
      send: (number, question) => send({ type: 'batches-ask', thread, number, question }, buffersOf(question)),
      away: { kind: 'away' },
    });
  }

  async create(batch: NewBatch, owners: readonly string[]): Promise<OrError<StoredBatch>> {
    return this.#one({ kind: 'create', batch, owners }, 'input_file_id');
  }

  async find(id: string, owners: readonly string[]): Promise<OrError<StoredBatch>> {
    return this.#one({ kind: 'find', id, owners }, undefined);
  }

  async cancel(id: string, owners: readonly string[]): Promise<OrError<StoredBatch>> {
    return this.#one({ kind: 'cancel', id, owners }, undefined);
  }

  /** Undefined: there is no batch `after`. */
  async list(filter: BatchFilter): Promise<OrError<readonly StoredBatch[] | undefined>> {
    const answer = await this.#questions.ask({ kind: 'list', filter });
    if (answer.kind === 'absent') return undefined;
    return answer.kind === 'batches' ? answer.batches : errorOf(answer, undefined);
  }

  async advance(progresses: readonly PieceProgress[], claims: boolean): Promise<AdvancedPieces | 'away'> {
    const answer = await this.#questions.ask({ kind: 'advance', progresses, claims });
    return answer.kind === 'advanced' ? answer.advanced : 'away';
  }

  async keepProviderBatch(batch: KeptProviderBatch): Promise<GatewayError | undefined> {
    const answer = await this.#questions.ask({ kind: 'provider-keep', batch });
    return answer.kind === 'done' ? undefined : errorOf(answer, undefined);
  }

  /** Undefined: it was not begun by way of the gateway. */
  async findProviderBatch(account: string, id: string): Promise<OrError<KeptProviderBatch | undefined>> {
    const answer = await this.#questions.ask({ kind: 'provider-find', account, id });
    return answer.kind === 'provider-batch' ? answer.batch : errorOf(answer, undefined);
  }

  async beginCharge(account: string, id: string): Promise<OrError<boolean>> {
    const answer = await this.#questions.ask({ kind: 'begin-charge', account, id });
    return answer.kind === 'charge' ? answer.isYours : errorOf(answer, undefined);
  }

  async endCharge(account: string, id: string, isCharged: boolean): Promise<void> {
    await this.#questions.ask({ kind: 'end-charge', account, id, isCharged });
  }

  hear({ number, answer }: BatchAnswerMessage): void {
    this.#questions.hear(number, answer);
  }

  async #one(question: BatchQuestion, param: string | undefined): Promise<OrError<StoredBatch>> {
    const answer = await this.#questions.ask(question);
    if (answer.kind !== 'batches') return errorOf(answer, param);
    return answer.batches[0] ?? new GatewayError('not_found');
  }
}

/** `param`: what is at fault where it does not fit; undefined: the state of the batch. */
function errorOf(answer: BatchAnswer, param: string | undefined): GatewayError {
  switch (answer.kind) {
    case 'absent':
      return new GatewayError('not_found');
    case 'unfit':
      return param === undefined
        ? new GatewayError('conflict', { detail: answer.reason })
        : new GatewayError('invalid_parameter', { param, detail: answer.reason });
    case 'away':
      return new GatewayError('database_away', { retryAfterMs: RETRY_AFTER_MS });
    default:
      return new GatewayError('internal_error', { cause: `batches: ${answer.kind}` });
  }
}
