import type { RunningGateway } from './gateway.ts';
import { watchOtherPrograms } from './other-programs.ts';
import { busiestThread, threadTimes } from './thread-times.ts';

/** Cores that other programs take: beyond it a wait for a core is their doing. */
const BUSY_CORES = 0.5;

/** A client with one small request after the other, beside whatever else a gateway does. */
export class NeighbourWaits {
  readonly #gateway: RunningGateway;
  readonly #ask: () => Promise<unknown>;
  readonly #relay: string;

  private constructor(gateway: RunningGateway, ask: () => Promise<unknown>, relay: string) {
    this.#gateway = gateway;
    this.#ask = ask;
    this.#relay = relay;
  }

  /** `ask` is the small request; the gateway has one relay thread. */
  static async of(gateway: RunningGateway, ask: () => Promise<unknown>): Promise<NeighbourWaits> {
    const { thread } = await busiestThread(gateway.pid, async () => {
      for (let asked = 0; asked < 2; asked += 1) await ask();
    });
    return new NeighbourWaits(gateway, ask, thread);
  }

  /**
   * Milliseconds that each request took while `load` went on, shortest first. Where other programs keep the machine busy,
   * that is without the time in which the relay thread or this one could have run and had no core.
   */
  async during(load: () => Promise<unknown>): Promise<number[]> {
    const others = await watchOtherPrograms(this.#gateway);
    let over = false;
    const done = load().finally(() => {
      over = true;
    });
    const took: number[] = [];
    const ran: number[] = [];
    while (!over) {
      const waited = this.#waitedMs();
      const from = performance.now();
      await this.#ask();
      const ms = performance.now() - from;
      took.push(ms);
      ran.push(Math.max(0, ms - (this.#waitedMs() - waited)));
    }
    await done;
    const ms = (await others()) > BUSY_CORES ? ran : took;
    return ms.sort((one, other) => one - other);
  }

  #waitedMs(): number {
    return threadTimes(this.#gateway.pid, this.#relay).waitedMs + threadTimes(process.pid, process.pid).waitedMs;
  }
}
