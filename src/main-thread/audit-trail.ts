import { randomBytes } from 'node:crypto';
import { CheckAllowance } from '../authentication/check-allowances.ts';
import type { Log } from '../core/log.ts';
import type { AuditedChange } from '../operator/admin/admin-api.ts';
import type { Refusal, SessionEvent } from '../operator/sessions/console-door.ts';
import type { AuditEntry, DatedAuditEntry } from '../store/audit.ts';
import type { MainService } from './main-service.ts';
import { RefusalTally } from './refusal-tally.ts';

export interface AuditTrailOptions {
  write(entries: readonly DatedAuditEntry[]): Promise<void>;
  readonly log: Log;
}

/** Entries that may wait for the database. At this bound the admin API changes nothing. */
const MAX_WAITING = 500;
const AT_ONCE = 50;
const AGAIN_MS = 1_000;
/** Refused changes that get an entry each; further ones are summed up, as those of strangers are. */
const REFUSED_CHANGES = { perSecond: 1 / 6, atOnce: 60 };
/** Waiting entries beyond which refusals get none: the rest of the room is for changes. */
const MAX_WAITING_WITH_REFUSALS = 100;

const UNKNOWN = 'unknown';

/** Entries of the audit log on their way to the database: in order, none twice, and kept while it is away. */
export class AuditTrail implements MainService {
  readonly #options: AuditTrailOptions;
  readonly #refusedChanges = new CheckAllowance(REFUSED_CHANGES.perSecond, REFUSED_CHANGES.atOnce, performance.now());
  readonly #refusals = new RefusalTally({
    tell: (entry) => void this.#add(entry),
    hasRoom: () => this.#waiting.length < MAX_WAITING_WITH_REFUSALS,
  });
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

  /** Resolves when the entry is written, or when the database does not take it now: it is then written later. */
  async record({ actor, by, role, action, path, status, code, ids, about }: AuditedChange): Promise<void> {
    const entry = { actor, by, role, action, path, outcome: code ?? 'done', status, ids, detail: about };
    if (code === undefined || this.#refusedChanges.take(performance.now())) await this.#add(entry);
    else this.#refusals.add(by, entry);
  }

  /** The console tells of its sessions. */
  told({ action, actor, by, role }: SessionEvent): void {
    const isIn = action === 'sign-in';
    const place = { path: '/console/session', outcome: 'done', status: isIn ? 200 : 204 };
    void this.#add({ actor, by, role, action, ...place, ids: [], detail: {} });
  }

  refused({ actor, by, action, path, error, address }: Refusal): void {
    const who = { actor: actor ?? UNKNOWN, by, role: 'none' };
    const what = { action, path, outcome: error.code, status: error.status, ids: [], detail: { address } };
    this.#refusals.add(address, { ...who, ...what });
  }

  async close(): Promise<void> {
    clearTimeout(this.#again);
    this.#refusals.close();
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
