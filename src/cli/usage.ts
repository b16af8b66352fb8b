import { usageReport } from '../ledger/usage-report.ts';
import { usageCsv, usageJson, usageTable } from '../operator/admin/usage-form.ts';
import { readUsageQuery, type WrittenUsageQuery } from '../operator/admin/usage-request.ts';
import type { DatabasePlace } from '../store/database.ts';
import { type CommandOutput, withExistingDatabase } from './with-database.ts';

/** `sluice usage`: what was used and what it cost, also while the gateway runs. Gives the exit code. */
export async function usage(
  options: WrittenUsageQuery & { readonly format?: string },
  place: DatabasePlace,
  output: CommandOutput,
): Promise<number> {
  const { format = 'table' } = options;
  if (format !== 'table' && format !== 'json' && format !== 'csv') {
    output.error(`--format: found ${JSON.stringify(format)}; allowed are table, json, csv`);
    return 1;
  }
  const query = readUsageQuery(options, Date.now());
  if ('parameter' in query) {
    output.error(`--${query.parameter}: ${query.detail}`);
    return 1;
  }
  return withExistingDatabase(place, output, async (database) => {
    const report = await usageReport(database, query);
    if (typeof report === 'string') {
      output.error(report);
      return 1;
    }
    if (format === 'json') output.out(JSON.stringify(usageJson(report, query.by), null, 2));
    else if (format === 'csv') output.out(usageCsv(report, query.by).trimEnd());
    else for (const line of usageTable(report, query.by)) output.out(line);
    return 0;
  });
}
