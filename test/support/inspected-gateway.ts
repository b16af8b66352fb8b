import { readFile } from 'node:fs/promises';
import { eventually, type RunningGateway } from './gateway.ts';

/** Start the gateway with this environment to be able to look into its memory. */
export const INSPECTED = { NODE_OPTIONS: '--inspect=127.0.0.1:0' };

/**
 * Resident memory of a gateway, over all its threads, after their garbage is gone. Without that, tens of megabytes of
 * read buffers that nobody holds any more hide what is held.
 */
export class MemoryProbe {
  readonly #pid: number;
  readonly #socket: WebSocket;
  readonly #workers = new Set<string>();
  readonly #answers = new Map<number, () => void>();
  #messages = 0;

  private constructor(pid: number, socket: WebSocket) {
    this.#pid = pid;
    this.#socket = socket;
    socket.onmessage = (event) => this.#onMessage(JSON.parse(String(event.data)));
  }

  static async attach(gateway: RunningGateway): Promise<MemoryProbe> {
    const address = /Debugger listening on (ws:\S+)/.exec(gateway.output())?.[1];
    if (address === undefined) throw new Error('the gateway was not started with INSPECTED');
    const socket = new WebSocket(address);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = reject;
    });
    const probe = new MemoryProbe(gateway.pid, socket);
    await probe.#call('NodeWorker.enable', { waitForDebuggerOnStart: false });
    await eventually('its relay thread is there', () => probe.#workers.size > 0);
    return probe;
  }

  /** The least of a few looks, since what was freed goes back to the system a little later. */
  async residentBytes(): Promise<number> {
    const looks: number[] = [];
    for (let look = 0; look < 4; look += 1) {
      await this.#collectGarbage();
      const status = await readFile(`/proc/${this.#pid}/status`, 'utf8');
      looks.push(Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024);
    }
    return Math.min(...looks);
  }

  close(): void {
    this.#socket.close();
  }

  async #collectGarbage(): Promise<void> {
    await this.#call('HeapProfiler.collectGarbage', {});
    for (const sessionId of this.#workers) {
      const message = { id: this.#nextId(), method: 'HeapProfiler.collectGarbage' };
      const done = this.#answered(message.id);
      await this.#call('NodeWorker.sendMessageToWorker', { sessionId, message: JSON.stringify(message) });
      await done;
    }
  }

  #call(method: string, params: object): Promise<void> {
    const id = this.#nextId();
    const done = this.#answered(id);
    this.#socket.send(JSON.stringify({ id, method, params }));
    return done;
  }

  #nextId(): number {
    this.#messages += 1;
    return this.#messages;
  }

  #answered(id: number): Promise<void> {
    return new Promise((resolve) => this.#answers.set(id, resolve));
  }

  #onMessage(message: { id?: number; method?: string; params?: { sessionId: string; message?: string } }): void {
    if (message.id !== undefined) this.#answers.get(message.id)?.();
    if (message.method === 'NodeWorker.attachedToWorker') this.#workers.add(message.params!.sessionId);
    if (message.method === 'NodeWorker.detachedFromWorker') this.#workers.delete(message.params!.sessionId);
    if (message.method === 'NodeWorker.receivedMessageFromWorker') {
      this.#onMessage(JSON.parse(message.params!.message!));
    }
  }
}
