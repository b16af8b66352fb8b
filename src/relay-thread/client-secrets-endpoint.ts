import type { KeyRing } from '../authentication/authenticate.ts';
import { GatewayError } from '../core/errors.ts';
import type { Exchange, OrError } from '../core/exchange.ts';
import type { Route } from '../edge/routes.ts';
import type { PipelineOptions } from '../pipeline/pipeline-options.ts';
import { realtimeForm } from '../plugs.ts';
import { wantedSecret } from '../realtime/client-secrets.ts';
import type { ClientSecretClaims } from '../store/token-claims.ts';
import type { SecretAnswer, SecretAnswerMessage, SecretQuestionMessage } from '../threads/secret-messages.ts';
import { answeredRoutes } from './answered-route.ts';
import { DatabaseQuestions } from './database-questions.ts';
import type { RefusalRecords } from './refusal-records.ts';

export interface SecretSignerOptions {
  readonly thread: number;
  send(message: SecretQuestionMessage): void;
}

/** Has secrets signed by the thread that has the signing key. */
export class SecretSigner {
  readonly #questions: DatabaseQuestions<ClientSecretClaims, SecretAnswer>;

  constructor({ thread, send }: SecretSignerOptions) {
    this.#questions = new DatabaseQuestions({
      send: (number, question) => send({ type: 'secret-ask', thread, number, question }),
      away: undefined,
    });
  }

  async sign(claims: ClientSecretClaims): Promise<OrError<string>> {
    return (await this.#questions.ask(claims)) ?? new GatewayError('database_away', { retryAfterMs: 1_000 });
  }

  hear({ number, answer }: SecretAnswerMessage): void {
    this.#questions.hear(number, answer);
  }
}

export interface ClientSecretsOptions {
  readonly pipeline: PipelineOptions;
  readonly signer: Pick<SecretSigner, 'sign'>;
  readonly originOf: KeyRing['originOf'];
}

/** The largest request: what it says of the session has to fit into a header. */
const MAX_BODY_BYTES = 65_536;

/** https://platform.openai.com/docs/api-reference/realtime-sessions/create-realtime-client-secret */
export function clientSecretRoutes(
  options: ClientSecretsOptions,
  records: RefusalRecords,
  errorBody: Route['errorBody'],
): Route[] {
  const route = answeredRoutes(records, errorBody, { body: 'whole', maxBodyBytes: MAX_BODY_BYTES });
  return [route('POST', '/realtime/client_secrets', (exchange) => answer(exchange, options))];
}

async function answer(
  exchange: Exchange,
  { pipeline, signer, originOf }: ClientSecretsOptions,
): Promise<OrError<number>> {
  const { principal, headers, body } = exchange;
  const origin = originOf(principal);
  if (origin === undefined) return new GatewayError('invalid_api_key', { detail: 'A secret is asked for with a key.' });
  const formOf = (type: 'realtime' | 'transcription') => realtimeForm('', type);
  const wanted = wantedSecret({ pipeline, principal, headers, body, formOf, origin, nowMs: Date.now() });
  if (wanted instanceof GatewayError) return wanted;
  const { claims, session } = wanted;
  const value = await signer.sign(claims);
  if (value instanceof GatewayError) return value;
  const made = ['content-type', 'application/json', 'cache-control', 'no-store'];
  exchange.pushOwnHeaders(made, 0);
  exchange.sink.start(200, made);
  exchange.sink.end(Buffer.from(JSON.stringify({ value, expires_at: claims.exp, session })));
  return 200;
}
