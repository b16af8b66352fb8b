import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe } from 'node:test';
import { type Database, type DatabasePlace, openDatabase } from '../../src/store/database.ts';
import { type PostgresServer, postgresSkip, startPostgres } from './postgres-server.ts';

/** One kind of database, for a suite that holds for all of them. */
export interface TestEngine {
  readonly name: 'SQLite' | 'PostgreSQL';
  /** Where nothing is yet: a data folder of its own and, on PostgreSQL, a database of its own. Removed at the end. */
  newPlace(): Promise<DatabasePlace>;
  /** Opened as the gateway does it; closed after the suite if the test does not do it. Without a place: a new one. */
  open(place?: DatabasePlace): Promise<Database>;
}

// One server for all suites of a file: begun by the first that asks.
let server: Promise<PostgresServer> | undefined;
after(async () => (await server)?.[Symbol.asyncDispose]());

/** The same laws over every engine. */
export function forEachEngine(title: string, laws: (engine: TestEngine) => void): void {
  suite('SQLite', false, async () => 'sqlite');
  suite('PostgreSQL', postgresSkip, async () => {
    server ??= startPostgres();
    return (await server).newDatabase();
  });

  function suite(name: TestEngine['name'], skip: string | false, newDatabase: () => Promise<string>): void {
    describe(`${title} (${name})`, { skip }, () => {
      const folders: string[] = [];
      const opened: Database[] = [];
      const engine: TestEngine = {
        name,
        async newPlace() {
          const dataDir = await mkdtemp(join(tmpdir(), 'sluice-engine-'));
          folders.push(dataDir);
          return { database: await newDatabase(), dataDir };
        },
        async open(place) {
          const database = await openDatabase(place ?? (await engine.newPlace()));
          opened.push(database);
          return database;
        },
      };
      after(async () => {
        await Promise.allSettled(opened.map((database) => database.close()));
        await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })));
      });
      laws(engine);
    });
  }
}
