import { mkdir } from 'node:fs/promises';
import { reasonOf, StoreFault } from './store-fault.ts';

/** Makes the data folder if it is not there, for this user alone. One that exists keeps the mode its owner gave it. */
export async function makeDataFolder(dataDir: string): Promise<void> {
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new StoreFault(
      `The data folder ${dataDir} cannot be made: ${reasonOf(error)}. Choose another data_dir.`,
      error,
    );
  }
}
