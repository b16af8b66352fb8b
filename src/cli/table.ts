/** Columns as wide as what was seen so far needs: one page of rows after the other. */
export class Table {
  #widths: number[] = [];

  lines(rows: readonly string[][]): string[] {
    for (const row of rows) {
      this.#widths = row.map((cell, column) => Math.max(cell.length, this.#widths[column] ?? 0));
    }
    return rows.map((row) =>
      row
        .map((cell, column) => cell.padEnd(this.#widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
  }
}
