import { randomBytes } from 'node:crypto';
import { CheckAllowance } from '../authentication/check-allowances.ts';
import type { Log } from '../core/log.ts';
import type { AuditedChange } from '../operator/admin/admin-api.ts';
import type { Refusal, SessionEvent } from '../operator/sessions/console-door.ts';
import type { AuditEntry, DatedAuditEntry } from '../store/audit.ts';
import type { MainService } from './main-service.ts';

export interface AuditTrailOptions {
  write(entries: readonly DatedAuditEntry[]): Promise<void>;
  readonly log: Log;
}

/** Entries that wait for the database; while there are so many, nothing is changed through the admin API. */
const MAX_WAITING = 500;
const AT_ONCE = 50;
const AGAIN_MS = 1_000;
/** What is refused changes nothing, and may be tried without end. */
const REFUSALS = { perSecond: 1, atOnce: 60 };
/** Strangers cost them nothing: of many that are not let in the log tells some, and how many it did not. */
const STRANGERS = { perSecond: 1 / 60, atOnce: 30 };
const UNTOLD_MS = 60_000;
/** Beyond so many that wait for the database, no stranger is told of: the rest is for changes. */
const MAX_WAITING_OF_STRANGERS = 100;

const UNKNOWN = 'unknown';

/** Entries of the audit log on their way to the database: in order, none twice, and kept while it is away. */
export class AuditTrail implements MainService {
  readonly #options: AuditTrailOptions;
  readonly #refusals = new CheckAllowance(REFUSALS.perSecond, REFUSALS.atOnce, performance.now());
  readonly #strangers = new CheckAllowance(STRANGERS.perSecond, STRANGERS.atOnce, performance.now());
  /** Of strangers: not told one by one since the last entry. */
  #untold = 0;
  #untoldTimer: NodeJS.Timeout | undefined;
  readonly #waiting: DatedAuditEntry[] = [];
  #work: Promise<void> | undefined;
  #again: NodeJS.Timeout | undefined;
  #lastAt = 0;

  constructor(options: AuditTrailOptions) {
    this.#options = options;
  }

  get isFull(): boolean {
    return this.#waiting.length >= MAX_WAITING;
  }

  /** Resolves when it is written, or when the database does not take it now: then it is tried again. */
  async record({ actor, by, role, action, path, status, code, ids, about }: AuditedChange): Promise<void> {
    if (code !== undefined && !this.#refusals.take(performance.now())) return;
    await this.#add({ actor, by, role, action, path, outcome: code ?? 'done', status, ids, detail: about });
  }

  /** Of the console. */
  told({ action, actor, by, role }: SessionEvent): void {
    const isIn = action === 'sign-in';
    const place = { path: '/console/session', outcome: 'done', status: isIn ? 200 : 204 };
    void this.#add({ actor, by, role, action, ...place, ids: [], detail: {} });
  }

  refused({ actor, by, action, path, error, address }: Refusal): void {
    if (this.#waiting.length >= MAX_WAITING_OF_STRANGERS || !this.#strangers.take(performance.now())) {
      this.#untold += 1;
      this.#untoldTimer ??= setTimeout(() => this.#tellUntold(), UNTOLD_MS).unref();
      return;
    }
    const detail = { address };
    const who = { actor: actor ?? UNKNOWN, by, role: 'none' };
    void this.#add({ ...who, action, path, outcome: error.code, status: error.status, ids: [], detail });
  }

  /** How many were refused without an entry of their own. */
  #tellUntold(): void {
    clearTimeout(this.#untoldTimer);
    this.#untoldTimer = undefined;
    if (this.#untold === 0) return;
    const detail = { further: String(this.#untold) };
    this.#untold = 0;
    const what = { action: 'sign-in', path: '/console/session', outcome: 'refused_untold', status: 401 };
    void this.#add({ actor: UNKNOWN, by: UNKNOWN, role: 'none', ...what, ids: [], detail });
  }

  async close(): Promise<void> {
    clearTimeout(this.#again);
    this.#tellUntold();
    await this.#flush();
    const { log } = this.#options;
    for (const { entry } of this.#waiting) log.error({ ...entry }, 'an entry of the audit log could not be written');
  }

  async #add(entry: AuditEntry): Promise<void> {
    if (this.isFull) {
      this.#options.log.error({ ...entry }, 'an entry of the audit log could not be written');
      return;
    }
    // In order as text, and never at the same millisecond twice in this process.
    this.#lastAt = Math.max(Date.now(), this.#lastAt + 1);
    const at = this.#lastAt;
    const id = `aud_${at.toString(36).padStart(9, '0')}${randomBytes(6).toString('hex')}`;
    this.#waiting.push({ id, at, entry });
    await this.#flush();
  }

  #flush(): Promise<void> {
    this.#work ??= this.#written().finally(() => {
      this.#work = undefined;
    });
    return this.#work;
  }

  async #written(): Promise<void> {
    const { write, log } = this.#options;
    while (this.#waiting.length > 0) {
      const entries = this.#waiting.slice(0, AT_ONCE);
      try {
        await write(entries);
        this.#waiting.splice(0, entries.length);
      } catch (error) {
        log.warn({ error, waiting: this.#waiting.length }, 'the audit log could not be written; it is tried again');
        clearTimeout(this.#again);
        this.#again = setTimeout(() => void this.#flush(), AGAIN_MS).unref();
        return;
      }
    }
  }
}
