import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BudgetPeriod } from '../../../src/config/rules/counted-rules.ts';
import { periodEnd, periodStart } from '../../../src/counters/periods.ts';

const cases: [period: BudgetPeriod, at: string, start: string, end: string][] = [
  ['day', '2026-11-22T23:59:59.999Z', '2026-11-22', '2026-11-23'],
  ['day', '2026-11-23T00:00:00.000Z', '2026-11-23', '2026-11-24'],
  // A Sunday is the last day of its week, a Monday the first.
  ['week', '2026-11-22T23:59:59.999Z', '2026-11-16', '2026-11-23'],
  ['week', '2026-11-23T00:00:00.000Z', '2026-11-23', '2026-11-30'],
  ['month', '2028-02-29T12:00:00.000Z', '2028-02-01', '2028-03-01'],
  ['month', '2026-12-31T23:59:59.999Z', '2026-12-01', '2027-01-01'],
  ['quarter', '2026-11-22T00:00:00.000Z', '2026-10-01', '2027-01-01'],
  ['quarter', '2026-03-31T23:59:59.999Z', '2026-01-01', '2026-04-01'],
];

for (const [period, at, start, end] of cases) {
  test(`the ${period} of ${at} is from ${start} to ${end}, in UTC`, () => {
    const atMs = Date.parse(at);
    assert.equal(periodStart(period, atMs), Date.parse(start));
    assert.equal(periodEnd(period, atMs), Date.parse(end));
  });
}
