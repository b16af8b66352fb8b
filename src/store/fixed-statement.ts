import { CompiledQuery, type Kysely, type QueryResult } from 'kysely';
import type { Database } from './database-engine.ts';
import type { Tables } from './tables.ts';

type Engine = Database['engine'];

/**
 * A statement whose text is always the same, written once for each engine: for what is asked so often that building it anew
 * costs as much as running it (load: batch-10k).
 */
export class FixedStatement<Row = never> {
  readonly #texts: Readonly<Record<Engine, string>>;

  /** `?` stands for each value. `forPostgres`: what only that engine reads, behind the text. */
  constructor(text: string, forPostgres = '') {
    let places = 0;
    const numbered = text.replaceAll('?', () => {
      places += 1;
      return `$${places}`;
    });
    this.#texts = { sqlite: text, postgres: `${numbered} ${forPostgres}` };
  }

  run(engine: Engine, query: Kysely<Tables>, values: readonly unknown[]): Promise<QueryResult<Row>> {
    return query.executeQuery(CompiledQuery.raw(this.#texts[engine], [...values]) as CompiledQuery<Row>);
  }
}
