import { CheckAllowance } from '../authentication/check-allowances.ts';
import type { AuditEntry } from '../store/audit.ts';

export interface RefusalTallyOptions {
  tell(entry: AuditEntry): void;
  /** False: too many entries wait for the database, and the rest of the room is for changes. */
  hasRoom(): boolean;
}

const ROUND_MS = 60_000;
/** Groups with entries of their own in one round; further refusals are only counted. */
const MAX_GROUPS = 30;
/** The bound of all entries together, so that strangers of many addresses fill no disk: 4 MB a day at the worst. */
const ENTRIES = { perSecond: 1 / 10, atOnce: 60 };

interface Group {
  readonly entry: AuditEntry;
  further: number;
}

/**
 * A refused request may be tried without end, and costs strangers nothing. Of each refused caller (an address, or whoever is
 * signed in) the first refusal is an entry at once; of those that follow, one entry a minute tells how many they were.
 */
export class RefusalTally {
  readonly #options: RefusalTallyOptions;
  readonly #entries = new CheckAllowance(ENTRIES.perSecond, ENTRIES.atOnce, performance.now());
  readonly #groups = new Map<string, Group>();
  /** Refusals that no group counts. */
  #untold = 0;
  #round: NodeJS.Timeout | undefined;

  constructor(options: RefusalTallyOptions) {
    this.#options = options;
  }

  /** `who`: whose refusals are told together. */
  add(who: string, entry: AuditEntry): void {
    const name = JSON.stringify([who, entry.actor, entry.outcome]);
    const known = this.#groups.get(name);
    this.#round ??= setTimeout(() => this.#endRound(), ROUND_MS).unref();
    if (known !== undefined) known.further += 1;
    else if (this.#groups.size >= MAX_GROUPS || !this.#mayTell()) this.#untold += 1;
    else {
      this.#groups.set(name, { entry, further: 0 });
      this.#options.tell(entry);
    }
  }

  /** Tells what was not told yet. */
  close(): void {
    clearTimeout(this.#round);
    this.#endRound();
    clearTimeout(this.#round);
    this.#groups.clear();
  }

  #mayTell(): boolean {
    return this.#options.hasRoom() && this.#entries.take(performance.now());
  }

  /** A caller that goes on keeps its group; nothing is kept of others. */
  #endRound(): void {
    this.#round = undefined;
    for (const [name, group] of this.#groups) {
      const { entry, further } = group;
      if (further === 0 || !this.#mayTell()) {
        this.#untold += further;
        this.#groups.delete(name);
        continue;
      }
      group.further = 0;
      this.#options.tell({ ...entry, detail: { ...entry.detail, further: String(further) } });
    }
    if (this.#untold > 0 && this.#options.hasRoom()) {
      this.#options.tell({ ...OF_MANY, detail: { further: String(this.#untold) } });
      this.#untold = 0;
    }
    if (this.#groups.size > 0 || this.#untold > 0) this.#round = setTimeout(() => this.#endRound(), ROUND_MS).unref();
  }
}

const UNKNOWN = 'unknown';
const OF_MANY: AuditEntry = {
  actor: UNKNOWN,
  by: UNKNOWN,
  role: 'none',
  action: 'sign-in',
  path: '/console/session',
  outcome: 'refused_untold',
  status: 401,
  ids: [],
  detail: {},
};
