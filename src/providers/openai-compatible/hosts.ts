import type { HostRow } from './host-row.ts';
import { MAKERS } from './hosts/makers.ts';
import { OPEN_MODEL_HOSTS } from './hosts/open-models.ts';
import { OWN_KINDS } from './hosts/own-kinds.ts';
import { OWN_MACHINE } from './hosts/own-machine.ts';

/*
 * The hosts that speak OpenAI's form. A new host is a row of one of the tables in hosts/; its columns are in host-row.ts,
 * and test/unit/providers/openai-compatible/hosts.test.ts has a test for each. What is not known of a host is not written.
 */

export const HOSTS: readonly HostRow[] = [...OWN_KINDS, ...MAKERS, ...OPEN_MODEL_HOSTS, ...OWN_MACHINE];

const byId = new Map(HOSTS.map((row) => [row.id, row]));

/** The row of a kind that has one. */
export function rowOf(id: string): HostRow {
  const row = byId.get(id);
  if (row === undefined) throw new Error(`there is no row \`${id}\``);
  return row;
}

/** Undefined: there is no such row. */
export function hostOf(id: string): HostRow | undefined {
  return byId.get(id);
}
