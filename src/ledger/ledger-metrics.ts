import type { MetricRegistry } from '../telemetry/metric-registry.ts';
import type { Ledger } from './ledger.ts';

/** What GET /metrics shows of the ledger. */
export function registerLedger(registry: MetricRegistry, ledger: Pick<Ledger, 'counts'>): void {
  registry.single(
    'gauge',
    'sluice_journal_bytes',
    'Journal of the ledger: records that wait for the database, and files that are still open, in bytes',
    () => ledger.counts.journalBytes,
  );
  registry.single(
    'counter',
    'sluice_ledger_rows_total',
    'Rows written to the ledger by this process',
    () => ledger.counts.rows,
  );
  registry.single(
    'gauge',
    'sluice_ledger_lag_seconds',
    'Age of the oldest record that is not in the database yet, in seconds',
    () => ledger.counts.lagSeconds,
  );
  registry.single(
    'counter',
    'sluice_ledger_lost_total',
    'Records that neither journal nor database would take',
    () => ledger.counts.lost,
  );
  registry.family(
    'counter',
    'sluice_ledger_failures_total',
    'Writes that failed: to the journal, to the database, of a single row',
    () => Object.entries(ledger.counts.failures).map(([kind, value]) => ({ labels: { kind }, value })),
  );
}
