import { resolve } from 'node:path';
import { backUp } from '../store/backup.ts';
import type { DatabasePlace } from '../store/database.ts';
import { StoreFault } from '../store/store-fault.ts';
import type { CommandOutput } from './with-database.ts';

/** `sluice backup FOLDER`: the files of the copy, one a line on `out`. Gives the exit code. */
export async function backup(target: string, place: DatabasePlace, output: CommandOutput): Promise<number> {
  try {
    for (const name of await backUp(place, target)) output.out(resolve(target, name));
  } catch (error) {
    if (!(error instanceof StoreFault)) throw error;
    output.error(error.message);
    return 1;
  }
  if (place.database !== 'sqlite')
    output.error('The database is on PostgreSQL and not part of it: back it up at the same time, with pg_dump.');
  return 0;
}
