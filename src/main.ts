#!/usr/bin/env node
import { Command } from 'commander';
import { check } from './cli/check.ts';
import { keysCreate, keysList, keysRevoke } from './cli/keys.ts';
import { serve } from './cli/serve.ts';
import { configurationPaths, environment } from './config/environment.ts';
import { loadConfiguration } from './config/load.ts';
import { openAccounts, PLUGS } from './plugs.ts';

const kinds = PLUGS.map(({ type, schema }) => ({ type, schema }));
const wellKnown = PLUGS.flatMap((plug) => plug.wellKnown ?? []);
const out = (text: string): void => void process.stdout.write(`${text}\n`);
const error = (text: string): void => void process.stderr.write(`${text}\n`);
const several = (value: string, before: string[] = []): string[] => [...before, value];

const program = new Command('sluice').description(
  'An AI gateway: one OpenAI-compatible endpoint in front of many model providers.',
);

program
  .command('serve', { isDefault: true })
  .description('serve the gateway')
  .option('--config <path>', 'YAML file or folder, repeatable; or SLUICE_CONFIG, separated by colons', several)
  .option('--port <number>', 'port to listen on')
  .option('--threads <number>', 'relay threads')
  .option('--data-dir <folder>', 'where keys and the database live')
  .action(async (options) => {
    const code = await serve(options, {
      environment: environment(),
      setVariable: (name, value) => {
        process.env[name] = value;
      },
      kinds,
      wellKnown,
      exampleModel: (gateway) => openAccounts(gateway.configuration).flatMap(firstModel)[0],
      out,
      error,
    });
    if (code !== undefined) process.exit(code);
  });

program
  .command('check')
  .description('validate manifests')
  .argument('<path...>', 'YAML files or folders')
  .action(async (paths: string[]) => {
    const output = {
      stdout: (text: string) => void process.stdout.write(text),
      stderr: (text: string) => void process.stderr.write(text),
    };
    process.exitCode = await check(paths, output, { kinds, environment: environment() });
  });

const keys = program.command('keys').description('make, list and revoke API keys');
keys
  .command('create')
  .description('make an API key; it is printed once')
  .requiredOption('--subject <subject>', 'user:EMAIL or virtualaccount:NAME')
  .option('--models <patterns>', 'comma-separated model patterns, as openai-main/*')
  .option('--teams <names>', 'comma-separated teams')
  .option('--expires <duration>', 'as 12h, 90d, 2w')
  .option('--metadata <key=value>', 'repeatable', several)
  .option('--name <name>', 'a label for the list')
  .option('--data-dir <folder>', 'data folder of the gateway')
  .option('--config <path>', 'configuration that names the data folder, repeatable', several)
  .action(async (options) => {
    process.exitCode = await keysCreate({ ...options, dataDir: dataDirOf(options) }, { out, error });
  });
keys
  .command('list')
  .description('list the keys that were made')
  .option('--data-dir <folder>', 'data folder of the gateway')
  .option('--config <path>', 'configuration that names the data folder, repeatable', several)
  .action(async (options) => {
    process.exitCode = await keysList({ dataDir: dataDirOf(options) }, { out, error });
  });
keys
  .command('revoke')
  .description('revoke a key')
  .argument('<id>')
  .option('--data-dir <folder>', 'data folder of the gateway')
  .option('--config <path>', 'configuration that names the data folder, repeatable', several)
  .action(async (id: string, options) => {
    process.exitCode = await keysRevoke(id, { dataDir: dataDirOf(options) }, { out, error });
  });

await program.parseAsync();

/** Where the gateway of the same configuration keeps its data. */
function dataDirOf(options: { dataDir?: string; config?: string[] }): string | undefined {
  if (options.dataDir !== undefined) return options.dataDir;
  const paths = options.config?.length ? options.config : configurationPaths(environment());
  if (paths.length === 0) return undefined;
  const loaded = loadConfiguration({ paths, environment: environment(), kinds, wellKnown });
  return 'faults' in loaded ? undefined : loaded.configuration.server.dataDir;
}

function firstModel(account: ReturnType<typeof openAccounts>[number]): string[] {
  const [listed] = account.listed;
  if (listed) return [listed.id];
  return account.exampleModel === undefined ? [] : [`${account.name}/${account.exampleModel}`];
}
