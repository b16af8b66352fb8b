/**
 * A statement whose text is always the same, written once for each engine: for what is asked so often that building it anew
 * costs as much as running it (load: batch-10k). `Row`: what its columns are.
 */
export class FixedStatement<Row = never> {
  readonly texts: { readonly sqlite: string; readonly postgres: string };
  /** It is there for the types alone. */
  declare readonly row: Row;

  /** `?` stands for each value. `forPostgres`: what only that engine reads, behind the text. */
  constructor(text: string, forPostgres = '') {
    let places = 0;
    const numbered = text.replaceAll('?', () => {
      places += 1;
      return `$${places}`;
    });
    this.texts = { sqlite: text, postgres: `${numbered} ${forPostgres}` };
  }
}
