import { readFileSync } from 'node:fs';
import { otherGateway } from '../../config/documents/other-gateways.ts';
import { manifestsAsYaml, plainYaml } from '../../config/documents/yaml-documents.ts';
import { plural } from '../plural.ts';
import type { CommandOutput } from '../with-database.ts';
import { Accounts, type KnownProviders } from './accounts.ts';
import { BifrostImport } from './bifrost.ts';
import { Imported, isMap } from './imported.ts';
import { LitellmImport } from './litellm.ts';
import { PortkeyImport } from './portkey.ts';
import { Secrets } from './secrets.ts';

const MAX_BYTES = 16 * 1024 * 1024;

export interface ImportContext extends CommandOutput {
  readonly providers: KnownProviders;
}

/**
 * `sluice import FILE`: manifests that say the same as a configuration of another gateway, on `out`; on `error` each
 * setting that they do not say, and why. Exit code 1 where a client would miss a model, a key or a limit.
 */
export function importConfiguration(file: string, { out, error, providers }: ImportContext): number {
  let source: unknown;
  try {
    const bytes = readFileSync(file === '-' ? 0 : file);
    if (bytes.length > MAX_BYTES) throw new Error(`it has more than ${MAX_BYTES} bytes`);
    source = plainYaml(bytes.toString('utf8'));
  } catch (cause) {
    error(`${file} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`);
    return 1;
  }
  const gateway = otherGateway(source);
  if (!isMap(source) || gateway === undefined) {
    error(
      `${file}: this is no configuration that is known: a \`config.yaml\` of LiteLLM (\`model_list\`), a config of Portkey (\`targets\` or \`provider\`), a \`config.json\` of Bifrost (\`providers\`)`,
    );
    return 1;
  }
  const imported = new Imported();
  const secrets = new Secrets(source, imported);
  const accounts = new Accounts(imported, secrets, providers);
  new READERS[gateway](source, imported, accounts, secrets).run();
  imported.tell({ out, error });
  if (imported.manifests.length === 0) {
    error(`${file}: nothing of this configuration of ${gateway} could be carried over`);
    return 1;
  }
  out(`# Made from ${file}, a configuration of ${gateway}.\n${manifestsAsYaml(imported.manifests)}`.trimEnd());
  const losses = imported.notes.filter(({ isLoss }) => isLoss).length;
  const counts = [plural(imported.manifests.length, 'manifest'), plural(imported.notes.length, 'note')];
  error(`${counts.join(', ')}, ${losses} LOST. Set the variables that it names, and check it: sluice check FILE`);
  return losses === 0 ? 0 : 1;
}

const READERS = { LiteLLM: LitellmImport, Portkey: PortkeyImport, Bifrost: BifrostImport };
