/** A row as its values, in the order of the columns that were named for it. */
export type RowValues = readonly (string | number | null)[];

export function rowValues<Name extends string>(
  columns: readonly Name[],
  rows: readonly { readonly [Column in Name]: string | number | null }[],
): RowValues[] {
  return rows.map((row) => columns.map((column) => row[column]));
}
