import type { Client, Dispatcher } from 'undici';
import { UnaskedContinue } from './unasked-continue.ts';
import type { Waiting } from './waiting-line.ts';

/** Who keeps connections and hears what becomes of them. */
export interface ConnectionKeeper {
  connected(): void;
  disconnected(connection: OriginConnection): void;
}

/**
 * One of undici's clients, which holds one connection at a time. Where the provider closed it before a request was
 * written, undici opens another and writes it there; a client that has neither connection nor attempt is dropped.
 */
export class OriginConnection implements Waiting {
  /** Among the idle ones. */
  ahead: Waiting | undefined;
  behind: Waiting | undefined;
  inLine = false;
  /** Its place among all of its pool, so that it leaves them without a search. */
  index: number;
  open = false;
  readonly #client: Client;
  readonly #heads = new UnaskedContinue();

  constructor(makeClient: (heads: UnaskedContinue) => Client, keeper: ConnectionKeeper, index: number) {
    const client = makeClient(this.#heads);
    this.#client = client;
    this.index = index;
    client.on('connect', () => {
      this.open = true;
      keeper.connected();
    });
    client.on('disconnect', () => {
      this.open = false;
      keeper.disconnected(this);
    });
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    this.#heads.expectHead();
    this.#client.dispatch(options, handler);
  }

  /** undici first finishes what it still holds. */
  close(): void {
    this.#client.close(ignore);
  }

  /** Not from within a callback of it: undici would find its own books changed. */
  destroy(): void {
    this.#client.destroy(ignore);
  }
}

function ignore(): void {
  // Closing is best effort: nothing waits for it and nothing is lost when it fails.
}
