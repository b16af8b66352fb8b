import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { MeasureOptions } from './measure.ts';
import { type SubjectMeasurement, subjectMeasurement } from './measurement.ts';

const run = promisify(execFile);
/** A subject takes seconds; one that hangs must not hold up the others for ever. */
const DEADLINE_MS = 300_000;

/** Why a subject has no figures. */
export class NotMeasured {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

/** Measures one subject of the tree at `root` in a process of its own. */
export async function measureInChild(
  root: string,
  subject: string,
  options: MeasureOptions,
  signal?: AbortSignal,
): Promise<SubjectMeasurement | NotMeasured> {
  const entry = join(root, 'bench/harness/measure-subject.ts');
  const args = ['--expose-gc', '--no-warnings', entry, subject, String(options.timeMs), String(options.warmUpMs)];
  try {
    const { stdout } = await run(process.execPath, args, { cwd: root, timeout: DEADLINE_MS, signal });
    return subjectMeasurement.parse(JSON.parse(stdout));
  } catch (error) {
    signal?.throwIfAborted();
    // The reason is shown in the place of the figures: one broken subject must not cost those of the others.
    return new NotMeasured(reasonOf(error));
  }
}

function reasonOf(error: unknown): string {
  const stderr: unknown = error instanceof Error ? Reflect.get(error, 'stderr') : undefined;
  const lines = (typeof stderr === 'string' && stderr !== '' ? stderr : String(error)).split('\n');
  return (lines.find((line) => /^\w*Error\b/.test(line)) ?? lines[0] ?? '').trim();
}
