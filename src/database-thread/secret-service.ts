import type { Log } from '../core/log.ts';
import type { Identity } from '../identity/identity.ts';
import type { ClientSecretClaims } from '../store/token-claims.ts';
import type { SecretAnswer } from '../threads/secret-messages.ts';

/** Signs secrets for browsers, which relay threads ask for. */
export class SecretService {
  readonly #identity: Pick<Identity, 'signClientSecret'>;
  readonly #log: Log;

  constructor(identity: Pick<Identity, 'signClientSecret'>, log: Log) {
    this.#identity = identity;
    this.#log = log;
  }

  /** Never throws. */
  async answer(claims: ClientSecretClaims): Promise<SecretAnswer> {
    try {
      return await this.#identity.signClientSecret(claims);
    } catch (error) {
      this.#log.warn({ error }, 'a secret for a browser could not be signed');
      return undefined;
    }
  }
}
