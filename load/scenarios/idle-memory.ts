/** What a subject holds that was just started and that nobody asked anything yet. */
import { setTimeout as delay } from 'node:timers/promises';
import { megabytes } from '../measure.ts';
import { sample } from '../proc.ts';
import { count, type Scenario } from '../scenario.ts';

/** Sluice gives back what its start left behind within two looks of half a second. */
const REST_MS = 3_000;

export const idleMemory: Scenario = {
  name: 'idle-memory',
  summary: 'memory three seconds after the start, before any request',
  models: () => [],
  rounds: 1,
  columns: [count('rssMb', 'RSS MB', 1)],
  async round(_bench, { pid }) {
    await delay(REST_MS);
    return { figures: { rssMb: pid === undefined ? Number.NaN : megabytes(sample(pid).rssBytes) }, voids: [] };
  },
};
