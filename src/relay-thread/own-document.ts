import { GatewayError } from '../core/errors.ts';
import type { Exchange, OrError } from '../core/exchange.ts';
import type { OpenApiMessage, OpenApiWanted } from '../threads/messages.ts';
import { answerBytes } from './answered-route.ts';
import { DatabaseQuestions } from './database-questions.ts';

export interface OwnDocumentOptions {
  readonly thread: number;
  send(message: OpenApiWanted): void;
}

/** The document that the gateway serves of itself. It is asked of the main thread by the first client that wants it. */
export class OwnDocument {
  readonly #questions: DatabaseQuestions<undefined, Uint8Array | undefined>;
  #json: Promise<Uint8Array | undefined> | undefined;

  constructor({ thread, send }: OwnDocumentOptions) {
    this.#questions = new DatabaseQuestions({
      send: (number) => send({ type: 'openapi-wanted', thread, number }),
      away: undefined,
    });
  }

  /** The status that was sent, or why there is none. */
  async answer(exchange: Exchange): Promise<OrError<number>> {
    this.#json ??= this.#questions.ask(undefined);
    const json = await this.#json;
    if (json === undefined) {
      // The next client asks again.
      this.#json = undefined;
      return new GatewayError('internal_error', { cause: new Error('the main thread has no OpenAPI document') });
    }
    answerBytes(exchange, json);
    return 200;
  }

  hear({ number, json }: OpenApiMessage): void {
    this.#questions.hear(number, json);
  }
}
