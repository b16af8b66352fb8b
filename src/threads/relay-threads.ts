import { type Transferable, Worker } from 'node:worker_threads';
import type { PackedConfiguration } from '../config/packed-configuration.ts';
import type { Log } from '../core/log.ts';
import type { FromRelayThread, RelayThreadBirth, ToRelayThread } from './messages.ts';

export interface RelayThreadsOptions {
  readonly entry: URL;
  readonly count: number;
}

export interface RelayThreadsHost {
  readonly log: Log;
  /** What a thread is born with: also after one died, so it must be true when the promise resolves. */
  data(thread: number): Promise<RelayThreadBirth>;
  onMessage(message: FromRelayThread): void;
  /** A thread ended that should not have; what it held must be given back before the next one begins. */
  onDied(thread: number): void;
}

/** A thread that dies at once again and again must not eat the machine. */
const RESTART_FIRST_MS = 100;
const RESTART_LONGEST_MS = 5_000;
/** One that lived so long did not die at once: the next begins without what earlier deaths added. */
const LONG_LIFE_MS = 60_000;

interface Slot {
  worker: Worker;
  /** It was given its data. Before that it only loads code, and nothing is told to it. */
  born: boolean;
  listening: boolean;
  drained: boolean;
  /** The number of the configuration that it has. */
  configured: number;
  /** Deaths in a row, each soon after a birth, before this one was born. */
  readonly deaths: number;
  readonly bornAt: number;
}

interface AwaitedConfiguration {
  readonly number: number;
  over(): void;
}

/** Starts the relay threads, keeps them alive, and speaks to them. Lives on the main thread. */
export class RelayThreads {
  readonly #options: RelayThreadsOptions;
  readonly #slots: Slot[] = [];
  #host: RelayThreadsHost | undefined;
  /** Why threads ended while there was no log yet. */
  readonly #early: { thread: number; error: unknown }[] = [];
  #stopping = false;
  #onListening: ((port: number | undefined) => void) | undefined;
  #onDrained: (() => void) | undefined;
  /** Configurations that were told so far. */
  #configurations = 0;
  readonly #awaited = new Set<AwaitedConfiguration>();

  constructor(options: RelayThreadsOptions) {
    this.#options = options;
  }

  get listening(): number {
    return this.#slots.filter((slot) => slot.listening).length;
  }

  /** Starts the threads, which load their code and wait. V8's flags and the addon's variables must have been set. */
  load(): void {
    for (let thread = 0; thread < this.#options.count; thread += 1) this.#slots.push(this.#spawn(thread, 0));
  }

  /** After `load`. Resolves with the port once all threads listen; with undefined where one could not. */
  start(host: RelayThreadsHost): Promise<number | undefined> {
    return new Promise((resolve) => {
      this.#onListening = resolve;
      this.#host = host;
      for (const { thread, error } of this.#early.splice(0)) this.#onError(thread, error);
      for (const [thread, slot] of this.#slots.entries()) void this.#bear(thread, slot, host);
    });
  }

  broadcast(message: ToRelayThread): void {
    for (const { worker, born } of this.#slots) if (born) worker.postMessage(message);
  }

  /**
   * Tells all threads what is in force from now on. Resolves when each has taken it, or a later one, or has ended; with the
   * number of those that have not after `deadlineMs`.
   */
  reconfigure(configuration: PackedConfiguration, deadlineMs: number): Promise<number> {
    this.#configurations += 1;
    const number = this.#configurations;
    this.broadcast({ type: 'reconfigure', number, configuration });
    return new Promise((resolve) => {
      const over = (): void => {
        clearTimeout(timer);
        this.#awaited.delete(awaited);
        resolve(this.#without(number));
      };
      const timer = setTimeout(over, deadlineMs).unref();
      const awaited = { number, over };
      this.#awaited.add(awaited);
      this.#checkConfigured();
    });
  }

  /** To one thread; one that is not born yet hears nothing. */
  tell(thread: number, message: ToRelayThread, transfer: readonly Transferable[] = []): void {
    const slot = this.#slots[thread];
    if (slot?.born) slot.worker.postMessage(message, transfer);
  }

  /** Resolves when every thread has ended its last exchange; what is open after `deadlineMs` (0: never) is cut. */
  async drain(deadlineMs: number): Promise<void> {
    this.#stopping = true;
    const drained = new Promise<void>((resolve) => {
      this.#onDrained = resolve;
    });
    this.broadcast({ type: 'drain' });
    this.#checkDrained();
    const timer = deadlineMs > 0 ? setTimeout(() => this.broadcast({ type: 'cut' }), deadlineMs) : undefined;
    await drained;
    clearTimeout(timer);
  }

  #spawn(thread: number, deaths: number): Slot {
    const { entry } = this.#options;
    const worker = new Worker(entry, { name: `relay-${thread}` });
    const bornAt = performance.now();
    const slot: Slot = { worker, born: false, listening: false, drained: false, configured: 0, deaths, bornAt };
    worker.on('message', (message: FromRelayThread) => this.#onMessage(slot, message));
    worker.on('error', (error) => this.#onError(thread, error));
    worker.on('exit', () => this.#onExit(thread, slot));
    if (this.#host) void this.#bear(thread, slot, this.#host);
    return slot;
  }

  async #bear(thread: number, slot: Slot, host: RelayThreadsHost): Promise<void> {
    try {
      const message: ToRelayThread = { type: 'begin', data: await host.data(thread) };
      // In the same turn: what is told from now on follows what it was born with.
      slot.born = true;
      slot.configured = this.#configurations;
      slot.worker.postMessage(message);
    } catch (error) {
      this.#onError(thread, error);
      // Another one begins after a while, as after any death.
      void slot.worker.terminate();
    }
  }

  #onError(thread: number, error: unknown): void {
    if (this.#host) this.#host.log.error({ error, thread }, 'a relay thread failed');
    else this.#early.push({ thread, error });
  }

  #onMessage(slot: Slot, message: FromRelayThread): void {
    if (message.type === 'listening') {
      slot.listening = true;
      if (this.listening === this.#options.count) this.#onListening?.(message.port);
    } else if (message.type === 'listen-failed') this.#onListening?.(undefined);
    else if (message.type === 'drained') {
      slot.listening = false;
      slot.drained = true;
      this.#checkDrained();
    } else if (message.type === 'configured') {
      slot.configured = message.number;
      this.#checkConfigured();
      return;
    }
    this.#host?.onMessage(message);
  }

  #onExit(thread: number, slot: Slot): void {
    slot.listening = false;
    slot.drained = true;
    this.#checkDrained();
    this.#checkConfigured();
    this.#host?.onDied(thread);
    if (this.#stopping) return;
    const deaths = deathsInARow(slot.deaths, performance.now() - slot.bornAt);
    setTimeout(() => {
      if (!this.#stopping) this.#slots[thread] = this.#spawn(thread, deaths);
    }, restartDelayMs(deaths));
  }

  #checkConfigured(): void {
    for (const { number, over } of this.#awaited) if (this.#without(number) === 0) over();
  }

  /** Threads that have not taken the configuration of this number. One that is not born yet is born with it. */
  #without(number: number): number {
    return this.#slots.filter(({ born, drained, configured }) => born && !drained && configured < number).length;
  }

  #checkDrained(): void {
    if (this.#stopping && this.#slots.every((slot) => slot.drained)) this.#onDrained?.();
  }
}

/** With the one that has just come, after a life of `livedMs`. */
export function deathsInARow(before: number, livedMs: number): number {
  return livedMs < LONG_LIFE_MS ? before + 1 : 1;
}

/** After so many deaths in a row, 1 or more. */
export function restartDelayMs(deaths: number): number {
  return Math.min(RESTART_LONGEST_MS, RESTART_FIRST_MS * 2 ** (deaths - 1));
}
