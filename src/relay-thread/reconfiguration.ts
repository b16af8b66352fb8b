import type { Configuration } from '../config/configuration.ts';
import { ConfigurationPieces, type PackedConfiguration } from '../config/packed-configuration.ts';
import type { PackedKeys } from '../config/packed-keys.ts';
import type { Log } from '../core/log.ts';
import { runToEnd, SlicedWork, type Steps } from '../core/steps.ts';
import type { Snapshot } from '../pipeline/pipeline-options.ts';
import type { FromRelayThread, ReconfigureMessage, RelayThreadBirth, RelayThreadData } from '../threads/messages.ts';

export interface ReconfigurationOptions {
  readonly log: Log;
  readonly pieces: ConfigurationPieces;
  readonly send: (message: FromRelayThread) => void;
  readonly make: (configuration: Configuration) => Steps<Snapshot>;
  /** Puts it in force, in one turn. */
  readonly take: (configuration: Configuration, snapshot: Snapshot) => void;
}

/** What a thread is born with, read at once since nobody is served yet; and the pieces, which reloads go on from. */
export function bornWith({ configuration, ...birth }: RelayThreadBirth): {
  data: RelayThreadData;
  pieces: ConfigurationPieces;
} {
  const pieces = new ConfigurationPieces();
  return { data: { ...birth, configuration: runToEnd(pieces.unpack(configuration)) }, pieces };
}

/**
 * Reloads of a relay thread. A configuration is read, and its snapshot made, in slices beside the requests, which the old one
 * serves meanwhile; a newer one takes the place of one that is not ready.
 */
export class Reconfiguration {
  readonly #options: ReconfigurationOptions;
  readonly #work = new SlicedWork();
  /** Keys that came while one was made: they are newer than those that it brought. */
  #keys: PackedKeys | undefined;

  constructor(options: ReconfigurationOptions) {
    this.#options = options;
  }

  begin({ number, configuration }: ReconfigureMessage): void {
    const { log, send, take } = this.#options;
    this.#keys = undefined;
    const over = (): void => send({ type: 'configured', number });
    this.#work.begin(
      this.#steps(configuration),
      ({ next, snapshot }) => {
        take(this.#keys === undefined ? next : { ...next, keys: this.#keys }, snapshot);
        over();
      },
      (error) => {
        log.error({ error }, 'a new configuration could not be put in force; the one before stays');
        over();
      },
    );
  }

  /** A newer configuration differs in its keys alone. */
  keysCame(keys: PackedKeys): void {
    this.#keys = keys;
  }

  *#steps(packed: PackedConfiguration): Steps<{ next: Configuration; snapshot: Snapshot }> {
    const { make, pieces } = this.#options;
    const next = yield* pieces.unpack(packed);
    return { next, snapshot: yield* make(next) };
  }
}
