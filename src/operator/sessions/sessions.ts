import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { ConsoleRole } from '../../config/server/console.ts';
import type { Principal } from '../../core/exchange.ts';
import type { DataScope, Viewer } from '../../policy/data-access.ts';

/** The person who signed in, and the way; both are judged anew with each request. */
export type SessionOwner =
  /** The holder of the admin key. */
  | { readonly by: 'admin-key' }
  /** The reader of the token that the start printed. */
  | { readonly by: 'start-token' }
  /** Somebody whom a key stands for. */
  | (SignedInPerson & { readonly by: 'issued' | 'outside' })
  | (SignedInPerson & { readonly by: 'configured'; readonly keySha256: string })
  /** Somebody for whom an identity provider vouched. */
  | (SignedInPerson & { readonly by: 'identity-provider'; readonly provider: string });

export interface SignedInPerson {
  readonly principal: Principal;
  /** Milliseconds since the Unix epoch; Infinity: what they signed in with has no end. */
  readonly endsAtMs: number;
}

/** What a session may do now. */
export interface Standing {
  readonly role: ConsoleRole;
  readonly data: DataScope;
  /** Whose data is shown; undefined: all of it. */
  readonly viewer: Viewer | undefined;
  readonly subject: string;
  /** Nothing is changed, whatever the role. */
  readonly readOnly: boolean;
}

export interface Session {
  readonly owner: SessionOwner;
  readonly csrf: string;
  /** The end, as `Date.now()` counts. */
  readonly endsAtMs: number;
  usedAtMs: number;
  /** Answers that go on, which end with it. */
  readonly streams: Set<() => void>;
}

export interface SessionsOptions {
  /** Undefined: this owner may not be here (any more). */
  standingOf(owner: SessionOwner): Standing | undefined;
  settings(): { readonly sessionMs: number; readonly idleMs: number };
  now(): number;
}

const MAX_SESSIONS = 512;
const MAX_OF_OWNER = 16;
const SWEEP_MS = 5_000;

/**
 * Sessions of browsers. They live in the memory of the main thread: a stolen database or backup holds none, a request reads
 * no disk, and signing out takes effect at once. The operator port is each gateway's own, so is its session; a restart ends
 * all of them. What a browser holds is 256 random bits, of which the gateway keeps the SHA-256 alone.
 */
export class Sessions {
  readonly #options: SessionsOptions;
  /** By digest, in the order of their last use. */
  readonly #sessions = new Map<string, Session>();
  #sweep: NodeJS.Timeout | undefined;

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  /** A new one always: nobody can fix the id of another's session beforehand. Undefined: this owner may not come in. */
  open(owner: SessionOwner): { readonly id: string; readonly session: Session } | undefined {
    const { standingOf, settings, now } = this.#options;
    const standing = standingOf(owner);
    if (standing === undefined) return undefined;
    this.#makeRoom(owner);
    const at = now();
    const ownEnd = 'endsAtMs' in owner ? owner.endsAtMs : Number.POSITIVE_INFINITY;
    const session: Session = {
      owner,
      csrf: randomBytes(32).toString('base64url'),
      endsAtMs: Math.min(at + settings().sessionMs, ownEnd),
      usedAtMs: at,
      streams: new Set(),
    };
    const id = randomBytes(32).toString('base64url');
    this.#sessions.set(digestOf(id), session);
    this.#sweep ??= setInterval(() => this.#endDue(), SWEEP_MS).unref();
    return { id, session };
  }

  /** Undefined: there is none of this id (any more). */
  use(id: string): { readonly session: Session; readonly standing: Standing } | undefined {
    const digest = digestOf(id);
    const session = this.#sessions.get(digest);
    if (session === undefined) return undefined;
    const standing = this.#standingNow(session);
    if (standing === undefined) {
      this.#end(digest, session);
      return undefined;
    }
    session.usedAtMs = this.#options.now();
    this.#sessions.delete(digest);
    this.#sessions.set(digest, session);
    return { session, standing };
  }

  close(id: string): void {
    const digest = digestOf(id);
    const session = this.#sessions.get(digest);
    if (session !== undefined) this.#end(digest, session);
  }

  /** What may be seen may have changed: answers that go on end, and are asked for again. Whoever lost their role is out. */
  judgeAll(): void {
    for (const { streams } of this.#sessions.values()) endAll(streams);
    this.#endDue();
  }

  closeAll(): void {
    for (const [digest, session] of this.#sessions) this.#end(digest, session);
  }

  #standingNow({ owner, endsAtMs, usedAtMs, streams }: Session): Standing | undefined {
    const { standingOf, settings, now } = this.#options;
    const at = now();
    if (at >= endsAtMs || (streams.size === 0 && at >= usedAtMs + settings().idleMs)) return undefined;
    return standingOf(owner);
  }

  #makeRoom(newcomer: SessionOwner): void {
    const own = [...this.#sessions].filter(([, { owner }]) => nameOf(owner) === nameOf(newcomer));
    const [oldestOwn] = own;
    if (oldestOwn !== undefined && own.length >= MAX_OF_OWNER) this.#end(...oldestOwn);
    const [oldest] = this.#sessions;
    if (oldest !== undefined && this.#sessions.size >= MAX_SESSIONS) this.#end(...oldest);
  }

  #endDue(): void {
    for (const [digest, session] of this.#sessions) {
      if (this.#standingNow(session) === undefined) this.#end(digest, session);
    }
  }

  #end(digest: string, { streams }: Session): void {
    this.#sessions.delete(digest);
    endAll(streams);
    if (this.#sessions.size > 0) return;
    clearInterval(this.#sweep);
    this.#sweep = undefined;
  }
}

/** The name that people and the audit log read. */
export function nameOf(owner: SessionOwner): string {
  return 'principal' in owner ? owner.principal.subject : owner.by;
}

function endAll(streams: Set<() => void>): void {
  for (const end of streams) end();
  streams.clear();
}

/** Compares without telling by its time how much of it is right. */
export function isSecret(presented: string, known: string): boolean {
  const [one, other] = [presented, known].map((text) => createHash('sha256').update(text).digest());
  return one !== undefined && other !== undefined && timingSafeEqual(one, other);
}

/** The time of a search by it tells of the digest alone, which nobody who guesses can steer. */
function digestOf(id: string): string {
  return createHash('sha256').update(id).digest('base64url');
}
