/** What a hit costs: the same request over and over, which Sluice answers by itself and others fetch each time. */
import type { ChatLoop } from '../chat-loop.ts';
import type { Scenario } from '../scenario.ts';
import { answersOf } from './chat-whole.ts';

const headers = { 'x-tfy-cache-config': '{"type": "exact-match", "ttl": 3600}' };
const WHOLE: ChatLoop = { model: 'mock-whole', body: 'whole', warmUpRequests: 80_000, roundRequests: 30_000, headers };
const BURST: ChatLoop = {
  model: 'mock-burst-100',
  body: 'stream',
  warmUpRequests: 10_000,
  roundRequests: 10_000,
  headers,
};

export const cacheWhole: Scenario = answersOf(WHOLE, {
  name: 'cache-whole',
  summary: 'whole answers of 0.6 KB out of the cache of Sluice, beside those who fetch them (--peers nginx,bare)',
});

export const cacheBurst: Scenario = answersOf(BURST, {
  name: 'cache-burst',
  summary: 'streams of 100 events out of the cache of Sluice, beside those who fetch them (--peers nginx,bare)',
});
