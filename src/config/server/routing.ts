import { z } from 'zod';
import { keyWithDefault, wholeNumber } from '../scalar-schema.ts';
import { type SettingsOf, section } from './section.ts';

export const routing = section(
  z.object({
    consecutive_failures: keyWithDefault(wholeNumber(1, 1000), 3).describe(
      'Failures one after another that take a target out.',
    ),
    failure_percent: keyWithDefault(wholeNumber(1, 100), 50).describe(
      'Share of failures within `window_ms` that takes a target out.',
    ),
    min_requests: keyWithDefault(wholeNumber(1, 100_000), 10).describe(
      'Requests within `window_ms` below which `failure_percent` does not apply.',
    ),
    window_ms: keyWithDefault(wholeNumber(1000, 3_600_000), 120_000).describe('The window of `failure_percent`.'),
    out_ms: keyWithDefault(wholeNumber(100, 3_600_000), 10_000).describe(
      'How long a target is out the first time; the time doubles with each failed probe.',
    ),
    max_out_ms: keyWithDefault(wholeNumber(100, 86_400_000), 300_000).describe(
      'The longest time that a target is out at once.',
    ),
    slow_start_ms: keyWithDefault(wholeNumber(0, 3_600_000), 30_000).describe(
      'Time in which a target that came back grows to its share again.',
    ),
    retry_budget_percent: keyWithDefault(wholeNumber(0, 1000), 20).describe(
      'Retries of one target, as percent of its requests in 10 s; 10 in that time are always allowed.',
    ),
    share_ms: keyWithDefault(z.union([z.literal(0), wholeNumber(50, 60_000)]), 250).describe(
      'How often gateways with `store.counters` in Redis tell each other which targets and keys are out; 0: never.',
    ),
    probe_interval_ms: keyWithDefault(z.union([z.literal(0), wholeNumber(100, 3_600_000)]), 0).describe(
      'How often targets whose time of being out is over are asked by the gateway itself; 0: requests are the probes.',
    ),
    probe_timeout_ms: keyWithDefault(wholeNumber(100, 600_000), 10_000).describe(
      'How long such a probe may take; a later answer counts as a failure.',
    ),
    max_probes: keyWithDefault(wholeNumber(1, 100), 4).describe('Such probes at once.'),
  }),
);

/** When targets of virtual models are out, and how often a target is tried again. */
export type RoutingLimits = SettingsOf<typeof routing>;
