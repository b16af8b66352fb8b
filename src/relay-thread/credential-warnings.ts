import type { GatewayError, ProviderWords } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { Target } from '../providers/provider.ts';

/** An account whose key was revoked is refused with every request: that is said so often, with how many there were. */
const EVERY_MS = 60_000;
/** Accounts × statuses that are remembered; accounts that a reload took away are forgotten with all others. */
const MAX_REMEMBERED = 1_000;

/** Tells the operator, in the log, that a provider refused the credential of an account, and why. */
export class CredentialWarnings {
  readonly #log: Log;
  readonly #words: () => ProviderWords;
  readonly #said = new Map<string, { at: number; since: number }>();

  /** `words`: what a reload may change. */
  constructor(log: Log, words: () => ProviderWords) {
    this.#log = log;
    this.#words = words;
  }

  readonly refused = (target: Target, error: GatewayError): void => {
    const { upstreamStatus: status } = error.context;
    const key = `${target.account} ${status}`;
    const now = performance.now();
    const said = this.#said.get(key);
    if (said !== undefined && now - said.at < EVERY_MS) {
      said.since += 1;
      return;
    }
    if (said === undefined && this.#said.size >= MAX_REMEMBERED) this.#said.clear();
    this.#said.set(key, { at: now, since: 0 });
    const fields = { account: target.account, target: target.id, status, reason: error.recordedDetail(this.#words()) };
    const before = said?.since ?? 0;
    this.#log.warn(
      before > 0 ? { ...fields, sinceLastWarning: before } : fields,
      'a provider refused the credential of an account',
    );
  };
}
