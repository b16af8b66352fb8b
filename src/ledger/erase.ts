import { eraseKeysOf, workingKeysOf } from '../store/api-keys.ts';
import { eraseBatchesOf } from '../store/batches.ts';
import { eraseConversationsOf } from '../store/conversations.ts';
import type { Database, DatabaseTransaction } from '../store/database.ts';
import { withoutTraces } from '../store/erase-traces.ts';
import { eraseFilesOf } from '../store/files.ts';
import { eraseMcpOf } from '../store/mcp-connections.ts';
import { eraseBodiesOf } from '../store/request-bodies.ts';
import { eraseResponsesOf } from '../store/responses.ts';
import type { LedgerSeriesTable } from '../store/tables/ledger-tables.ts';
import { erasedText, replaceTexts } from './erased-text.ts';

/** What names a person. At least one of the two. */
export interface Person {
  /** `user:…` or `virtualaccount:…`, as it was written. */
  readonly subject: string | undefined;
  /** Values of request metadata, by key. */
  readonly metadata: readonly (readonly [key: string, value: string])[];
}

export interface Erasure {
  /** The keys of the subject that still work. Where there is one, nothing was erased. */
  readonly workingKeys: readonly string[];
  /** What stands in the place of the subject now; undefined: none was to be erased. */
  readonly subject: string | undefined;
  /** Entries of each kind that were changed. */
  readonly series: number;
  readonly labels: number;
  readonly budgetGroups: number;
  readonly keys: number;
}

const PAGE = 1_000;

/**
 * Takes a person out of ledger, budgets, issued keys, files and batches, which end: every text that names them becomes one that names nobody, the same
 * everywhere, so that sums stay sums of one. Rows are not touched, so the chain holds, and verification counts the rows
 * whose labels cannot be checked any more. Not while a key of the subject works: its next exchange would bring the name back.
 */
export async function erasePerson(database: Database, person: Person): Promise<Erasure> {
  const workingKeys = person.subject === undefined ? [] : await workingKeysOf(database, person.subject, new Date());
  if (workingKeys.length > 0)
    return { workingKeys, subject: person.subject, series: 0, labels: 0, budgetGroups: 0, keys: 0 };
  const names = new Map<string, string>();
  const replacement = erasedText();
  if (person.subject !== undefined) names.set(person.subject, subjectInstead(person.subject, replacement));
  for (const [, value] of person.metadata) if (!names.has(value)) names.set(value, erasedText());
  const replace = (text: string): string => names.get(text) ?? text;
  const series = await seriesOf(database, person);
  const labels = await changedIn(database, labelsAfter, replace);
  const windows = await changedIn(database, windowsAfter, replace);
  const alerts = await changedIn(database, alertsAfter, replace);
  const deliveries = await changedIn(database, deliveriesAfter, replace);
  return withoutTraces(database, () =>
    database.write(async (transaction) => {
      for (const each of series) await eraseSeries(transaction, each, person, replace, replacement);
      for (const { key, after } of labels)
        await transaction.query
          .updateTable('ledger_labels')
          .set({ charges: after })
          .where('labels', '=', key)
          .execute();
      for (const { key, after } of windows) await renameGroup(transaction, 'budget_windows', key, after);
      for (const { key, after } of alerts) await renameGroup(transaction, 'budget_alerts', key, after);
      for (const { key, after } of deliveries) await renameGroup(transaction, 'alert_deliveries', key, after);
      await eraseRecipient(transaction, person);
      if (person.subject !== undefined) {
        await eraseFilesOf(transaction.query, person.subject, replace(person.subject), Date.now());
        await eraseResponsesOf(transaction.query, person.subject);
        await eraseMcpOf(transaction.query, person.subject);
        await eraseBodiesOf(transaction, person.subject);
        await eraseConversationsOf(transaction.query, person.subject);
        await eraseBatchesOf(transaction.query, person.subject, replace(person.subject), Date.now());
      }
      const keys =
        person.subject === undefined
          ? 0
          : await eraseKeysOf(transaction.query, person.subject, replace(person.subject));
      return {
        workingKeys,
        subject: person.subject === undefined ? undefined : replace(person.subject),
        series: series.length,
        labels: labels.length,
        budgetGroups: new Set([...windows, ...alerts].map(({ key }) => key)).size,
        keys,
      };
    }),
  );
}

/** With its kind, which reports tell apart. */
function subjectInstead(subject: string, replacement: string): string {
  return `${subject.slice(0, subject.indexOf(':') + 1)}${replacement}`;
}

async function eraseSeries(
  { query }: DatabaseTransaction,
  { series, subject, key_id, metadata }: LedgerSeriesTable,
  person: Person,
  replace: (text: string) => string,
  replacement: string,
): Promise<void> {
  const isSubject = subject !== null && subject === person.subject;
  await query
    .updateTable('ledger_series')
    .set({
      subject: isSubject ? replace(subject) : subject,
      key_id: isSubject && key_id !== null ? replacement : key_id,
      metadata: erasedMetadata(metadata, person, replace),
    })
    .where('series', '=', series)
    .execute();
}

/** Only under the keys that were named: the same text may mean something else under another. */
function erasedMetadata(json: string | null, { metadata }: Person, replace: (text: string) => string): string | null {
  if (json === null || metadata.length === 0) return json;
  const values: Record<string, unknown> = JSON.parse(json);
  for (const [key, value] of metadata) if (values[key] === value) values[key] = replace(value);
  return JSON.stringify(values);
}

async function seriesOf(database: Database, { subject, metadata }: Person): Promise<LedgerSeriesTable[]> {
  const found: LedgerSeriesTable[] = [];
  for await (const each of pages((after) =>
    database.query
      .selectFrom('ledger_series')
      .selectAll()
      .where('series', '>', after)
      .orderBy('series')
      .limit(PAGE)
      .execute()
      .then((rows) => rows.map((row) => ({ key: row.series, row }))),
  )) {
    const { row } = each;
    const values: Record<string, unknown> = row.metadata === null ? {} : JSON.parse(row.metadata);
    const named = metadata.some(([key, value]) => values[key] === value);
    if (named || (subject !== undefined && row.subject === subject)) found.push(row);
  }
  return found;
}

interface TextOf {
  /** The key of its row; ascending. */
  readonly key: string;
  readonly text: string | null;
}

type After = (database: Database, after: string) => Promise<TextOf[]>;

const labelsAfter: After = async ({ query }, after) => {
  const select = query.selectFrom('ledger_labels').select(['labels', 'charges']);
  const rows = await select.where('labels', '>', after).orderBy('labels').limit(PAGE).execute();
  return rows.map(({ labels, charges }) => ({ key: labels, text: charges }));
};

const windowsAfter: After = async ({ query }, after) => {
  const select = query.selectFrom('budget_windows').select('group_value').distinct();
  const rows = await select.where('group_value', '>', after).orderBy('group_value').limit(PAGE).execute();
  return rows.map(({ group_value: group }) => ({ key: group, text: group }));
};

const alertsAfter: After = async ({ query }, after) => {
  const select = query.selectFrom('budget_alerts').select('group_value').distinct();
  const rows = await select.where('group_value', '>', after).orderBy('group_value').limit(PAGE).execute();
  return rows.map(({ group_value: group }) => ({ key: group, text: group }));
};

const deliveriesAfter: After = async ({ query }, after) => {
  const select = query.selectFrom('alert_deliveries').select('group_value').distinct();
  const rows = await select.where('group_value', '>', after).orderBy('group_value').limit(PAGE).execute();
  return rows.map(({ group_value: group }) => ({ key: group, text: group }));
};

/** Those whose text names the person, with what takes its place. */
async function changedIn(database: Database, table: After, replace: (text: string) => string) {
  const changed: { key: string; after: string }[] = [];
  for await (const { key, text } of pages((after) => table(database, after))) {
    const after = replaceTexts(text, replace);
    if (after !== null && after !== text) changed.push({ key, after });
  }
  return changed;
}

async function* pages<T extends { readonly key: string }>(page: (after: string) => Promise<T[]>): AsyncGenerator<T> {
  let after = '';
  for (;;) {
    const rows = await page(after);
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < PAGE) return;
    after = last.key;
  }
}

async function renameGroup(
  { query }: DatabaseTransaction,
  table: 'budget_windows' | 'budget_alerts' | 'alert_deliveries',
  from: string,
  to: string,
): Promise<void> {
  await query.updateTable(table).set({ group_value: to }).where('group_value', '=', from).execute();
}

/** Subjects who were told of their own budget. */
async function eraseRecipient({ query }: DatabaseTransaction, { subject }: Person): Promise<void> {
  if (!subject?.startsWith('user:')) return;
  const email = subject.slice('user:'.length);
  await query.updateTable('alert_deliveries').set({ recipient: 'erased' }).where('recipient', '=', email).execute();
}
