import type { RoutingLimits } from '../config/server/routing.ts';
import type { GatewayError } from '../core/errors.ts';
import type { Target } from '../providers/provider.ts';
import { blamed, limitedForMs, providerStatus, reasonNumber } from './blame.ts';
import { type Availability, CIRCUIT_WORDS, Circuit, type Probing } from './circuit.ts';
import { LATENCY_WORDS, LatencyWindow } from './latency-window.ts';
import type { StepObserver } from './route-plan.ts';
import { SharedSlots } from './shared-slots.ts';
import { TierMemory } from './tier-memory.ts';

/** A refused credential stays out this long at first: it is hardly mended at once. */
const REFUSED_OUT_MS = 60_000;
const MAX_CIRCUITS = 4_096;
const MAX_TARGETS = 1_024;

/** Health and load of all targets, and of their callers, in memory that all threads share. */
export class HealthMemory {
  readonly circuits: SharedSlots;
  readonly latencies: SharedSlots;
  /** One word: `ALONE` or `AGREED`, whether gateways that share Redis agree on who probes. */
  readonly agreement: Int32Array;
  readonly tiers: TierMemory;
  readonly now: () => number;

  /** `now`: milliseconds, the same on all threads. */
  constructor(now: () => number, shared?: HealthBuffers) {
    this.now = () => now() | 0;
    this.circuits = new SharedSlots(MAX_CIRCUITS, CIRCUIT_WORDS, shared?.circuits);
    this.latencies = new SharedSlots(MAX_TARGETS, LATENCY_WORDS, shared?.latencies);
    this.agreement = new Int32Array(shared?.agreement ?? new SharedArrayBuffer(4));
    this.tiers = new TierMemory(shared?.tiers);
  }

  get buffers(): HealthBuffers {
    const { circuits, latencies, agreement, tiers } = this;
    return {
      circuits: circuits.buffer,
      latencies: latencies.buffer,
      agreement: agreement.buffer as SharedArrayBuffer,
      tiers: tiers.buffer,
    };
  }
}

export interface HealthBuffers {
  readonly circuits: SharedArrayBuffer;
  readonly latencies: SharedArrayBuffer;
  readonly agreement: SharedArrayBuffer;
  readonly tiers: SharedArrayBuffer;
}

type Outcome = Parameters<StepObserver['failed']>[1];

/**
 * One place that can answer: a target with one of its account's credentials. A failure is held against whose fault it
 * is: the target, the credential in all its models, or the credential in this model until an instant.
 */
export class Place {
  readonly target: Target;
  readonly latency: LatencyWindow | undefined;
  /** Circuits by whose fault it is. Undefined: there was no room for one, and the place is never out by it. */
  readonly circuits: Readonly<Record<'target' | 'credential' | 'limited', Circuit | undefined>>;
  readonly #now: () => number;
  readonly #observers: Readonly<Record<Probing, StepObserver>>;

  constructor(target: Target, memory: HealthMemory, laws: RoutingLimits) {
    this.target = target;
    this.#now = memory.now;
    const key = credentialKey(target);
    const circuit = (name: string, agreement?: Int32Array): Circuit | undefined => {
      const at = memory.circuits.claim(name);
      return at === undefined ? undefined : new Circuit(memory.circuits, at, laws, agreement);
    };
    this.circuits = {
      target: circuit(`target ${target.id}`, memory.agreement),
      credential: circuit(`credential ${target.account} ${key}`, memory.agreement),
      // Once its instant has come anybody may ask: there is no probe to agree upon.
      limited: circuit(`limited ${target.id} ${key}`),
    };
    const at = memory.latencies.claim(target.id);
    this.latency = at === undefined ? undefined : new LatencyWindow(memory.latencies, at);
    this.#observers = {
      none: this.#observer('none'),
      due: this.#observer('due'),
      early: this.#observer('early'),
      panic: this.#observer('panic'),
    };
  }

  availability(now: number): Availability {
    const { target, credential, limited } = this.circuits;
    // Nobody asks before its instant, and anybody may afterwards.
    if (limited !== undefined && limited.availability(now) === 'out') return 'out';
    const ofTarget = target?.availability(now) ?? 'open';
    const ofCredential = credential?.availability(now) ?? 'open';
    if (ofTarget === 'open' && ofCredential === 'open') return 'open';
    return ofTarget === 'out' || ofCredential === 'out' ? 'out' : 'probe';
  }

  /** Milliseconds until it may be asked. */
  waitMs(now: number): number {
    const { target, credential, limited } = this.circuits;
    return Math.max(target?.waitMs(now) ?? 0, credential?.waitMs(now) ?? 0, limited?.waitMs(now) ?? 0);
  }

  /** Its provider said when this credential may ask for this model again. */
  isLimited(now: number): boolean {
    return this.circuits.limited?.availability(now) === 'out';
  }

  /** The part of its share that the place gets while it comes back, 0 to 1. */
  share(now: number): number {
    return this.circuits.target?.share(now) ?? 1;
  }

  /** Lets one request through to a place that is out; undefined: another one was let through. */
  claim(now: number, probing: 'due' | 'early'): StepObserver | undefined {
    const { target, credential } = this.circuits;
    const claimed: Circuit[] = [];
    for (const circuit of [target, credential]) {
      if (circuit === undefined || circuit.availability(now) === 'open') continue;
      if (!circuit.claimProbe(now)) {
        for (const each of claimed) each.release(probing);
        return undefined;
      }
      claimed.push(circuit);
    }
    return this.#observers[probing];
  }

  /** The observer of a request that needs no claim. */
  observer(probing: 'none' | 'panic'): StepObserver {
    return this.#observers[probing];
  }

  reset(): void {
    for (const circuit of Object.values(this.circuits)) circuit?.reset();
    this.latency?.reset();
  }

  #observer(probing: Probing): StepObserver {
    return {
      asked: () => this.circuits.target?.asked(this.#now()),
      mayRetry: () => {
        const now = this.#now();
        return this.availability(now) === 'open' && (this.circuits.target?.mayRetry(now) ?? true);
      },
      contentCame: () => {
        const now = this.#now();
        const { target, credential, limited } = this.circuits;
        target?.succeeded(now, probing);
        credential?.succeeded(now, probing);
        // A request that was sent before the limit says nothing about it.
        if (limited?.availability(now) === 'probe') limited.succeeded(now, 'due');
      },
      answered: (firstContentMs, perTokenMs) => {
        const now = this.#now();
        this.latency?.add('first-content', firstContentMs, now);
        if (perTokenMs !== undefined) this.latency?.add('per-token', perTokenMs, now);
      },
      failed: (error, outcome) => this.#failed(error, outcome, probing),
      left: () => this.#left(probing),
      outrun: (afterMs) => {
        this.latency?.add('first-content', afterMs, this.#now());
        this.#left(probing);
      },
    };
  }

  #left(probing: Probing): void {
    this.circuits.target?.release(probing);
    this.circuits.credential?.release(probing);
  }

  #failed(error: GatewayError, { status: answered, headers }: Outcome, probing: Probing): void {
    const now = this.#now();
    const status = providerStatus(answered, error);
    const reason = reasonNumber(error, status);
    const { target, credential, limited } = this.circuits;
    const whose = blamed(error, status);
    // The place answered: circuits that are not to blame now are closed again.
    if (whose !== 'target') target?.release(probing);
    if (whose !== 'credential') credential?.release(probing);
    if (whose === 'target') target?.failed(now, reason, probing);
    else if (whose === 'credential') credential?.takeOut(now, reason, REFUSED_OUT_MS, probing);
    else if (whose === 'limited') limited?.outUntil(now, reason, limitedForMs(headers, Date.now()));
  }
}

/** Tells the credentials of an account apart without holding one. */
export function credentialKey({ mounts }: Pick<Target, 'mounts'>): string {
  for (const list of mounts.values()) for (const { credential } of list) return credential.poolKey;
  return '';
}
