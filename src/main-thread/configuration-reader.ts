import type { LoadedData, Refused } from '../config/load.ts';
import { WorkerPool } from '../offload/worker-pool.ts';
import { type ConfigurationSource, portableSource, readingTask } from '../operator/configuration-source.ts';
import type { MainService } from './main-service.ts';

/** The heap of a thread that reads a configuration: enough for ten megabytes of YAML with the places of its values. */
export const MAX_CONFIG_HEAP_MB = 1_024;
/** Four megabytes of YAML, the most of a file, take some seconds; this is for a machine that is busy besides. */
const DEADLINE_MS = 60_000;
/** The priority of the main thread: five steps lower, a reload took twice as long on busy cores, and a revoked key lived so long. */
const NICE_INCREMENT = 0;

/** Why nothing was read, in words; undefined: the gateway ends. */
export interface Unread {
  readonly unread: string | undefined;
}

/**
 * Reads the configuration for a reload, in a thread of its own. Ten thousand keys take most of a second, in which the main
 * thread would answer no scrape, no health check and no console. The thread ends when it is idle, and frees its memory. It
 * does not wait for checks of the console.
 */
export class ConfigurationReader implements MainService {
  readonly #source: ConfigurationSource;
  readonly #pool: WorkerPool;

  constructor(source: ConfigurationSource, entry: URL) {
    this.#source = source;
    this.#pool = new WorkerPool({ entry, maxHeapMb: MAX_CONFIG_HEAP_MB, niceIncrement: NICE_INCREMENT });
  }

  /** Never rejects. */
  async read(): Promise<LoadedData | Refused | Unread> {
    const result = await this.#pool.run(readingTask, portableSource(this.#source), { deadlineMs: DEADLINE_MS });
    if ('value' in result) return result.value;
    const { failure, cause } = result;
    if (failure === 'closed') return { unread: undefined };
    if (failure === 'deadline') return { unread: `it could not be read within ${DEADLINE_MS / 1000} s` };
    return { unread: `it could not be read (${cause instanceof Error ? cause.message : failure})` };
  }

  close(): Promise<void> {
    return this.#pool.close();
  }
}
