import { randomBytes } from 'node:crypto';
import { link, open, readFile, rename, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeDataFolder } from './data-folder.ts';
import { reasonOf, StoreFault, systemCode } from './store-fault.ts';

/** Told of a file that others than its owner may read or write. The message holds no secret. */
export type Warn = (message: string) => void;

/**
 * The text of a secret file, which is made on first use. Two processes that start at once agree on one: each writes a
 * file of its own and links it to the name, which succeeds for one of them; what counts is what stands there then.
 * So nobody ever reads half a secret, and a crash leaves at most a temporary file that nothing uses.
 */
export async function readOrMakeSecret(path: string, make: () => string, warn: Warn): Promise<string> {
  try {
    const found = await readIfThere(path);
    if (found === undefined) {
      await makeDataFolder(dirname(path));
      await makeOnce(path, make());
    }
    const mode = (await stat(path)).mode & 0o777;
    if ((mode & 0o077) !== 0)
      warn(`${path} has mode ${mode.toString(8)}: others on this machine may use it. Set it to 600.`);
    return found ?? (await readFile(path, 'utf8'));
  } catch (error) {
    if (error instanceof StoreFault) throw error;
    throw new StoreFault(`The secret file ${path} cannot be read or made: ${reasonOf(error)}.`, error);
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Puts another secret in its place. Whoever reads meanwhile gets the old one or the new one, whole. */
export async function replaceSecret(path: string, text: string): Promise<void> {
  try {
    await rename(await writeDraft(path, text), path);
  } catch (error) {
    throw new StoreFault(`The secret file ${path} cannot be replaced: ${reasonOf(error)}.`, error);
  }
}

async function writeDraft(path: string, text: string): Promise<string> {
  const draft = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(text);
    // Before the name appears: after a power cut a name without its bytes would be a key that nobody has.
    await file.sync();
  } finally {
    await file.close();
  }
  return draft;
}

async function makeOnce(path: string, text: string): Promise<void> {
  const draft = await writeDraft(path, text);
  try {
    await link(draft, path);
  } catch (error) {
    // Another process was first, and its secret is the one.
    if (systemCode(error) !== 'EEXIST') throw error;
  } finally {
    await unlink(draft);
  }
}
