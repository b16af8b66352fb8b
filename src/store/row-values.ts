/** A row as its values, in the order of the columns that were named for it. */
export type RowValues = readonly (string | number | null)[];

export function rowValues<Name extends string>(
  columns: readonly Name[],
  rows: readonly { readonly [Column in Name]: string | number | null }[],
): RowValues[] {
  return rows.map((row) => columns.map((column) => row[column]));
}

/** The columns of a table, all of them: one that is added to the table and left out here does not compile. */
export function allColumns<Table>() {
  return <const Columns extends readonly (keyof Table)[]>(
    columns: Columns &
      ([keyof Table] extends [Columns[number]] ? unknown : { leftOut: Exclude<keyof Table, Columns[number]> }),
  ): Columns => columns;
}
