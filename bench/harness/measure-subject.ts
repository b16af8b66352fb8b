/**
 * `node --expose-gc bench/harness/measure-subject.ts NAME [TIME_MS [WARM_UP_MS]]`: times one subject in this process and
 * writes a SubjectMeasurement as JSON. One process a subject: what ran before would otherwise have taught the optimizer
 * types that this one never sees. Add `--cpu-prof` to see where the time goes.
 */
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadSubject } from './find-subjects.ts';
import { DEFAULT_OPTIONS, measure } from './measure.ts';
import type { SubjectMeasurement } from './measurement.ts';

const [name = '', timeMs = DEFAULT_OPTIONS.timeMs, warmUpMs = DEFAULT_OPTIONS.warmUpMs] = process.argv.slice(2);
const subject = await loadSubject(dirname(dirname(fileURLToPath(import.meta.url))), name);
const tasks = measure(subject, { timeMs: Number(timeMs), warmUpMs: Number(warmUpMs) });
process.stdout.write(JSON.stringify({ subject: name, tasks } satisfies SubjectMeasurement));
