import type { ClientSecretClaims } from '../store/token-claims.ts';

/** To be answered with `secret-answer` and its number, to that thread alone. */
export interface SecretQuestionMessage {
  readonly type: 'secret-ask';
  readonly thread: number;
  readonly number: number;
  /** To be signed with the gateway's signing key. */
  readonly question: ClientSecretClaims;
}

/** The secret; undefined: the database does not answer. */
export type SecretAnswer = string | undefined;

export interface SecretAnswerMessage {
  readonly type: 'secret-answer';
  readonly number: number;
  readonly answer: SecretAnswer;
}
