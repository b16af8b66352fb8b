import { configurationPaths, type Environment } from '../config/environment.ts';
import { formatFault } from '../config/fault.ts';
import { type AccountKind, loadConfiguration, type WellKnownAccount } from '../config/load.ts';
import type { AccountRules } from '../identity/key-wish.ts';
import {
  type Database,
  type DatabasePlace,
  databasePlace,
  openDatabase,
  openExistingDatabase,
} from '../store/database.ts';
import { DatabaseAbsent, reasonOf, StoreFault, systemCode } from '../store/store-fault.ts';
import { plural } from './plural.ts';

/** Where a command speaks: results on `out`, for scripts; everything else on `error`, for people. Whole lines. */
export interface CommandOutput {
  out(text: string): void;
  error(text: string): void;
}

/** As the command line gives them. */
export interface PlaceOptions {
  readonly dataDir?: string;
  readonly config?: readonly string[];
}

export interface PlaceContext {
  readonly environment: Environment;
  readonly kinds: readonly AccountKind[];
  readonly wellKnown: readonly WellKnownAccount[];
}

export interface CommandPlace extends DatabasePlace {
  /** How keys of virtual accounts shall be; absent: there is no configuration to say it. */
  readonly rules?: AccountRules;
}

const DEFAULT_DATA_DIR = './data';

/**
 * The database of the gateway that has the same configuration. Faults in it are told, and nothing is opened: a key that was
 * made in another database than the gateway's would be worth nothing, and a revocation there would revoke nothing.
 */
export function placeOf(
  options: PlaceOptions,
  context: PlaceContext,
  output: Pick<CommandOutput, 'error'>,
): CommandPlace | undefined {
  const paths = options.config?.length ? options.config : configurationPaths(context.environment);
  if (paths.length === 0) return { database: 'sqlite', dataDir: options.dataDir ?? DEFAULT_DATA_DIR };
  const overrides = options.dataDir === undefined ? {} : { dataDir: options.dataDir };
  const loaded = loadConfiguration({ paths, overrides, ...context });
  if (!('faults' in loaded)) {
    const { server, identities } = loaded.configuration;
    return { ...databasePlace(server), rules: identities };
  }
  for (const fault of loaded.faults) output.error(formatFault(fault));
  output.error(`${plural(loaded.faults.length, 'fault')} in the configuration, which says where the database is`);
  return undefined;
}

/** A person waits: they are told at once that a server is away, and may try again. */
const WAIT_MS = 0;

type Work = (database: Database) => Promise<number>;

/** Opens the database for one piece of work and closes it; makes it if need be. Gives the exit code. */
export function withDatabase(place: DatabasePlace, output: CommandOutput, work: Work): Promise<number> {
  return within(() => openDatabase(place, WAIT_MS), output, work);
}

/** The same, for work that needs what is there already: where there is none, the person is told, and none is made. */
export function withExistingDatabase(place: DatabasePlace, output: CommandOutput, work: Work): Promise<number> {
  return within(() => openExistingDatabase(place, WAIT_MS), output, work);
}

async function within(open: () => Promise<Database>, output: CommandOutput, work: Work): Promise<number> {
  let database: Database | undefined;
  try {
    database = await open();
    return await work(database);
  } catch (error) {
    if (error instanceof DatabaseAbsent)
      output.error(`${error.message} --data-dir or --config says where the gateway has it.`);
    else if (error instanceof StoreFault) output.error(error.message);
    // An error of the engine, with its code, and not a bug of ours.
    else if (systemCode(error) !== undefined) output.error(`The database failed: ${reasonOf(error)}`);
    else throw error;
    return 1;
  } finally {
    await database?.close();
  }
}
