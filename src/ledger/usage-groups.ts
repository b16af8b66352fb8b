import { storedTextMap, storedTexts } from '../store/stored-json.ts';
import type { LedgerSeriesTable } from '../store/tables/ledger-tables.ts';

export const USAGE_DIMENSIONS = [
  'subject',
  'user',
  'virtualaccount',
  'key',
  'team',
  'model',
  'target',
  'provider',
  'day',
  'hour',
] as const;

export type UsageDimension = (typeof USAGE_DIMENSIONS)[number] | `metadata.${string}`;

type Labels = Omit<LedgerSeriesTable, 'series'>;

/** The groups that sums belong to: one, but for teams, of which each counts; without any team it is null. */
export function groupsOf(
  by: readonly UsageDimension[],
  labels: Labels | undefined,
  startsAtMs: number,
): (string | null)[][] {
  let groups: (string | null)[][] = [[]];
  for (const dimension of by) {
    const values = valuesOf(dimension, labels, startsAtMs);
    groups = groups.flatMap((group) => values.map((value) => [...group, value]));
  }
  return groups;
}

function valuesOf(dimension: UsageDimension, labels: Labels | undefined, startsAtMs: number): (string | null)[] {
  if (dimension === 'day') return [new Date(startsAtMs).toISOString().slice(0, 10)];
  if (dimension === 'hour') return [`${new Date(startsAtMs).toISOString().slice(0, 13)}:00Z`];
  if (labels === undefined) return [null];
  switch (dimension) {
    case 'subject':
    case 'model':
    case 'target':
    case 'provider':
      return [labels[dimension]];
    case 'key':
      return [labels.key_id];
    case 'user':
    case 'virtualaccount':
      return [nameOf(labels.subject, dimension)];
    case 'team': {
      const teams = labels.teams === null ? [] : storedTexts(labels.teams);
      return teams.length === 0 ? [null] : [...new Set(teams)];
    }
    default:
      return [metadataOf(labels, dimension.slice('metadata.'.length))];
  }
}

/** `user:bob@example.com` is the user bob@example.com and no virtual account. */
function nameOf(subject: string | null, kind: string): string | null {
  return subject?.startsWith(`${kind}:`) ? subject.slice(kind.length + 1) : null;
}

function metadataOf(labels: Labels, key: string): string | null {
  if (labels.metadata === null) return null;
  return storedTextMap(labels.metadata)[key] ?? null;
}
