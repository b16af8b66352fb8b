import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { z } from 'zod';
import {
  accountBase,
  apiKeyAuth,
  bearerAuth,
  integrationBase,
  integrationList,
} from '../../../src/config/account-schema.ts';
import type { Environment } from '../../../src/config/environment.ts';
import { formatFault } from '../../../src/config/fault.ts';
import {
  type AccountKind,
  type Loaded,
  type LoadOptions,
  loadConfiguration,
  type Refused,
} from '../../../src/config/load.ts';
import { baseUrl, optionalKey } from '../../../src/config/scalar-schema.ts';

/** A folder that goes with the test. */
export function manifestFolder(test: TestContext, files: Record<string, string | Buffer> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-config-'));
  test.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}

/** A kind of account as a plug hands it in. */
export const exampleKind: AccountKind = {
  type: 'provider-account/example',
  schema: accountBase('provider-account/example').extend({
    auth_data: optionalKey(z.discriminatedUnion('type', [apiKeyAuth, bearerAuth])),
    base_url: optionalKey(baseUrl()),
    integrations: integrationList(integrationBase('integration/model/example')),
  }),
};

export interface LoadedText {
  result: Loaded | Refused;
  folder: string;
  /** Formatted, without the folder. */
  faults: string[];
  warnings: string[];
}

export function loadText(
  test: TestContext,
  source: string | Buffer,
  environment: Environment = {},
  options: Partial<LoadOptions> = {},
): LoadedText {
  const folder = manifestFolder(test, { 'a.yaml': source });
  const result = loadConfiguration({
    paths: [join(folder, 'a.yaml')],
    environment,
    kinds: [exampleKind],
    wellKnown: [],
    ...options,
  });
  const shown = (fault: Parameters<typeof formatFault>[0]) => formatFault(fault).replaceAll(`${folder}/`, '');
  return {
    result,
    folder,
    faults: 'faults' in result ? result.faults.map(shown) : [],
    warnings: result.warnings.map(shown),
  };
}

export function configurationOf(loaded: LoadedText): Loaded['configuration'] {
  if ('faults' in loaded.result) throw new Error(`refused: ${loaded.faults.join('\n')}`);
  return loaded.result.configuration;
}
