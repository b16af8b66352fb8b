import type { Environment } from '../config/environment.ts';
import type { LoadedData, Refused } from '../config/load.ts';
import type { WrittenOverrides } from '../config/server/server-settings.ts';
import type { Task } from '../offload/tasks.ts';

/** The origin of a configuration. Structured-clonable. */
export interface ConfigurationSource {
  /** Files and folders; empty: it stands in no file. */
  readonly paths: readonly string[];
  readonly environment: Environment;
  readonly overrides: WrittenOverrides;
}

/** The environment of a process is no plain object. */
export function portableSource({ environment, ...rest }: ConfigurationSource): ConfigurationSource {
  return { ...rest, environment: { ...environment } };
}

/** Reads all of a configuration in the thread of the configuration (config-thread/). */
export const readingTask: Task<ConfigurationSource, LoadedData | Refused> = { name: 'configuration-reading' };
