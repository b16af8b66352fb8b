import { erasePerson } from '../ledger/erase.ts';
import { exportRows } from '../ledger/export-rows.ts';
import { readReceipt } from '../ledger/receipt.ts';
import { verifyLedger } from '../ledger/verify.ts';
import { exportCsv, exportJsonl } from '../operator/admin/export-form.ts';
import { readSpan } from '../operator/admin/usage-request.ts';
import { verifyAudit } from '../store/audit.ts';
import type { DatabasePlace } from '../store/database.ts';
import { subjectSchema } from '../store/token-claims.ts';
import { recomputedNanoUsd } from '../usage/price-basis.ts';
import { plural } from './plural.ts';
import { type CommandOutput, withExistingDatabase } from './with-database.ts';

/** `sluice ledger verify`: computes every chain and every cost again. 1 where something does not hold, or there is nothing. */
export async function ledgerVerify(place: DatabasePlace, output: CommandOutput): Promise<number> {
  return withExistingDatabase(place, output, async (database) => {
    const found = await verifyLedger(database, recomputedNanoUsd);
    for (const { gateway, seq, id, reason } of found.faults)
      output.error(`${gateway} row ${seq}${id === undefined ? '' : ` (${id})`}: ${reason}`);
    const audit = await verifyAudit(database);
    for (const fault of audit.faults) output.error(fault);
    const more = found.faultCount - found.faults.length;
    if (more > 0) output.error(`and ${more} more`);
    if (found.chains === 0) {
      output.error('No gateway has written to this ledger: nothing was verified');
      return 1;
    }
    output.out(
      `${plural(found.rows, 'row')} in ${plural(found.chains, 'chain')}: cost of ${found.recomputed} computed again, ` +
        `${found.reported} billed by the provider itself, ${found.withoutCost} without cost; ` +
        (found.erased === 0 ? '' : `${found.erased} of erased persons, whose labels cannot be checked; `) +
        plural(found.faultCount, 'fault'),
    );
    if (audit.entries > 0 || audit.faults.length > 0)
      output.out(`${plural(audit.entries, 'record')} of the audit log; ${plural(audit.faults.length, 'fault')}`);
    return found.faultCount + audit.faults.length === 0 ? 0 : 1;
  });
}

/** `sluice ledger receipt ID`: as GET /admin/receipts/ID gives it. */
export async function ledgerReceipt(id: string, place: DatabasePlace, output: CommandOutput): Promise<number> {
  return withExistingDatabase(place, output, async (database) => {
    const receipt = await readReceipt(database, id);
    if (receipt === undefined) {
      output.error(`No exchange ${JSON.stringify(id)} is in the ledger`);
      return 1;
    }
    output.out(JSON.stringify(receipt, null, 2));
    return 0;
  });
}

export interface ExportOptions {
  since?: string;
  until?: string;
  format?: string;
}

/** `sluice ledger export`: every exchange of that time on `out`, also while the gateway runs. Gives the exit code. */
export async function ledgerExport(
  options: ExportOptions,
  place: DatabasePlace,
  output: CommandOutput,
): Promise<number> {
  const { format = 'jsonl' } = options;
  if (format !== 'jsonl' && format !== 'csv') {
    output.error(`--format: found ${JSON.stringify(format)}; allowed are jsonl, csv`);
    return 1;
  }
  const span = readSpan(options, 0, Date.now());
  if ('parameter' in span) {
    output.error(`--${span.parameter}: ${span.detail}`);
    return 1;
  }
  return withExistingDatabase(place, output, async (database) => {
    let isFirst = true;
    for await (const rows of exportRows(database, span)) {
      output.out(format === 'jsonl' ? exportJsonl(rows) : exportCsv(rows, isFirst ? 'heading' : 'no heading'));
      isFirst = false;
    }
    return 0;
  });
}

export interface EraseOptions {
  subject?: string;
  /** Each `key=value`. */
  metadata?: readonly string[];
}

/** `sluice ledger erase`: takes a person out of ledger, budgets and issued keys; what stands in their place on `out`. */
export async function ledgerErase(
  { subject, metadata: pairs = [] }: EraseOptions,
  place: DatabasePlace,
  output: CommandOutput,
): Promise<number> {
  const fault = eraseFault(subject, pairs);
  if (fault !== undefined) {
    output.error(fault);
    return 1;
  }
  const metadata = pairs.map((pair) => {
    const equals = pair.indexOf('=');
    return [pair.slice(0, equals), pair.slice(equals + 1)] as const;
  });
  return withExistingDatabase(place, output, async (database) => {
    const erased = await erasePerson(database, { subject, metadata });
    const { workingKeys, series, labels, budgetGroups, keys } = erased;
    if (workingKeys.length > 0) {
      output.error(`Nothing was erased: keys of ${subject} still work (${workingKeys.join(', ')}). Revoke them first.`);
      return 1;
    }
    output.error(
      `Erased from ${series} series, ${plural(labels, 'label')}, ` +
        `${plural(budgetGroups, 'group')} of budgets and ${plural(keys, 'key')}.`,
    );
    if (erased.subject !== undefined) output.out(erased.subject);
    return 0;
  });
}

function eraseFault(subject: string | undefined, metadata: readonly string[]): string | undefined {
  if (subject === undefined && metadata.length === 0) return 'Whom? Give --subject, --metadata KEY=VALUE, or both.';
  if (subject !== undefined && !subjectSchema.safeParse(subject).success)
    return `--subject: found ${JSON.stringify(subject)}; allowed is user:EMAIL or virtualaccount:NAME, as the ledger has it`;
  const pair = metadata.find((each) => !/^[^=]+=./.test(each));
  return pair === undefined ? undefined : `--metadata: found ${JSON.stringify(pair)}; allowed is KEY=VALUE`;
}
