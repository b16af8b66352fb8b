/** One run's surroundings: temp folder, mock, two driver processes, subjects. `close` ends and removes all of it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chatRequest, fetchOnce } from './chat-request.ts';
import { stopAll } from './child.ts';
import { startDriver } from './driver/driver.ts';
import { startMock } from './mock.ts';
import { direct } from './peers/direct.ts';
import type { Peer, Subject } from './peers/peer.ts';
import { procIsReadable } from './proc.ts';
import type { Bench } from './scenario.ts';
import type { Settings } from './settings.ts';

export type OpenBench = { bench: Bench; subjects: Subject[]; notes: string[]; close(): Promise<void> };

export async function openBench(peers: Peer[], models: string[], settings: Settings): Promise<OpenBench> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-load-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  // A signal does not come past `close`.
  process.once('exit', remove);
  const close = async (): Promise<void> => {
    await stopAll();
    remove();
  };
  try {
    if (!procIsReadable) throw new Error('load needs /proc: CPU and memory of the subjects are read there (Linux)');
    const mock = await startMock(folder);
    const context = { mockUrl: mock.url, models, folder, threads: settings.threads };
    const subjects: Subject[] = [];
    const notes: string[] = [];
    for (const peer of peers) {
      try {
        subjects.push(await peer.start(context));
      } catch (error) {
        // Others are for comparison: the run goes on without them. Without ourselves there is nothing to say.
        if (peer.name === 'sluice') throw error;
        notes.push(`${peer.name} is left out: ${(error as Error).message.trim()}`);
      }
    }
    const bench: Bench = {
      mock,
      direct: await direct.start(context),
      driver: startDriver('driver', folder),
      neighbour: startDriver('neighbour', folder),
      settings,
      bodyBytes: rememberedBodyBytes(await direct.start(context)),
    };
    return { bench, subjects, notes, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Asked of the mock once per model, with pace and delays taken out by the x-mock header: the bytes are the same. */
function rememberedBodyBytes(subject: Subject): Bench['bodyBytes'] {
  const known = new Map<string, number>();
  return async (model, stream) => {
    const key = `${model} ${stream}`;
    let bytes = known.get(key);
    if (bytes === undefined) {
      const unpaced = model.replace(/paced-\d+ms/, 'burst').replace(/-(ttfb|head)-\d+ms/g, '');
      const { body } = await fetchOnce(chatRequest(subject, { model, stream, headers: { 'x-mock': unpaced } }));
      bytes = body.length;
      known.set(key, bytes);
    }
    return bytes;
  };
}
