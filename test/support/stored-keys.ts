import type { ApiKey } from '../../src/store/api-keys.ts';
import type { Database } from '../../src/store/database.ts';
import { pagesOfKeys } from '../../src/store/key-page.ts';

/** All keys that were issued, oldest first; read in small pages. */
export async function storedKeys(database: Database): Promise<ApiKey[]> {
  const keys: ApiKey[] = [];
  for await (const page of pagesOfKeys(database, 3)) keys.push(...page);
  return keys;
}
