#!/usr/bin/env node
import { Command } from 'commander';
import type { CheckOptions } from './cli/check.ts';
import type { CommandPlace, PlaceOptions } from './cli/with-database.ts';
import { configurationPaths, environment, readEnvironmentFile } from './config/environment.ts';
import { accountKinds, exampleModel, knownProviders, openAccounts, probeOf, tokenSources, wellKnown } from './plugs.ts';
import { packageVersion } from './store/package-version.ts';

const kinds = accountKinds();
const out = (text: string): void => void process.stdout.write(`${text}\n`);
const error = (text: string): void => void process.stderr.write(`${text}\n`);
const several = (value: string, before: string[] = []): string[] => [...before, value];

const DOTENV = [
  '--dotenv <path>',
  'variables, one NAME=VALUE a line; those that are set already stand over it',
] as const;

const program = new Command('sluice')
  .description('An AI gateway: one OpenAI-compatible endpoint in front of many model providers.')
  .version(packageVersion());

// Before any command looks at a variable.
program.hook('preAction', (_program, command) => {
  const { dotenv } = command.opts<{ dotenv?: string }>();
  const fault = dotenv === undefined ? undefined : readEnvironmentFile(dotenv);
  if (fault !== undefined) command.error(fault);
});

program
  .command('serve', { isDefault: true })
  .description('serve the gateway')
  .option('--config <path>', 'YAML file or folder, repeatable; or SLUICE_CONFIG, separated by colons', several)
  .option('--port <number>', 'port to listen on')
  .option('--threads <number>', 'relay threads')
  .option('--data-dir <folder>', 'where keys and the database live')
  .option(...DOTENV)
  .allowExcessArguments()
  .action(async (options, command) => {
    // It is the default: whoever mistypes another command ends here.
    const [unknown] = command.args;
    if (unknown !== undefined) command.error(`error: unknown command '${unknown}'. See: sluice --help`);
    const { serve } = await import('./cli/serve.ts');
    const code = await serve(options, {
      environment: environment(),
      setVariable: (name, value) => {
        process.env[name] = value;
      },
      kinds,
      wellKnown: wellKnown(),
      exampleModel: ({ configuration }) => exampleModel(configuration),
      out,
      error,
    });
    if (code !== undefined) process.exit(code);
  });

program
  .command('check')
  .description('validate manifests')
  .argument('[path...]', 'YAML files or folders; those of SLUICE_CONFIG without it')
  .option('--strict', 'warnings are faults')
  .option('--online', 'ask each account whether its credential works and which of its models exist')
  .option(...DOTENV)
  .action(async (paths: string[], options: CheckOptions) => {
    const { check } = await import('./cli/check.ts');
    const online = { openAccounts, tokenSources, probeOf };
    const asked = paths.length > 0 ? paths : configurationPaths(environment());
    process.exitCode = await check(asked, options, { kinds, environment: environment(), online, out, error });
  });

program
  .command('init')
  .description('write a first configuration: a server, a key for clients, an account for each variable that is set')
  .argument('[folder]', 'new, or without manifests', './config')
  .action(async (folder: string) => {
    process.exitCode = await (await import('./cli/add.ts')).initialise(folder, await addContext());
  });
program
  .command('add')
  .description('write the account of a provider into a folder of manifests; its key is asked for, or read from a pipe')
  .argument('<provider>', 'as openai, anthropic, groq, fireworks')
  .option('--config <folder>', 'the folder', './config')
  .option('--name <name>', 'of the account; the provider’s without it')
  .option('--model <id>', 'a model that it lists, repeatable; without it any model is passed on', several)
  .option('--base-url <address>', 'of another host of OpenAI’s form, of a proxy, or of a resource of Azure')
  .option('--region <region>', 'of Bedrock or Vertex')
  .action(async (provider: string, options) => {
    process.exitCode = await (await import('./cli/add.ts')).addProvider(provider, options, await addContext());
  });

program
  .command('import')
  .description('print manifests that say what a configuration of LiteLLM, Portkey or Bifrost says')
  .argument('<file>', 'its config.yaml or config.json; `-`: standard input')
  .action(async (file: string) => {
    const { importConfiguration } = await import('./cli/import/import.ts');
    process.exitCode = importConfiguration(file, { providers: knownProviders(), out, error });
  });

const keys = program.command('keys').description('make, list, rotate and revoke API keys');
inDatabase(keys, 'create', 'make an API key; it is printed once')
  .requiredOption('--subject <subject>', 'user:EMAIL or virtualaccount:NAME')
  .option('--models <patterns>', 'comma-separated model patterns, as openai-main/*')
  .option('--teams <names>', 'comma-separated teams')
  .option('--expires <duration>', 'as 12h, 90d, 2w')
  .option('--metadata <key=value>', 'repeatable', several)
  .option('--name <name>', 'a label for the list')
  .option('--token-type <type>', 'jwt (a signed token) or opaque; by default as its virtual account says, else jwt')
  .action((options) =>
    inPlace(options, async (place) => (await keyCommands()).keysCreate(options, place, { out, error })),
  );
inDatabase(keys, 'list', 'list the keys that were made').action((options) =>
  inPlace(options, async (place) => (await keyCommands()).keysList(place, { out, error })),
);
inDatabase(keys, 'rotate', 'make a new key for the same subject; the old one works until its grace ends')
  .argument('<id>')
  .option('--grace <duration>', 'as 24h, 7d; 0s: the old one ends at once', '24h')
  .action((id: string, options) =>
    inPlace(options, async (place) => (await keyCommands()).keysRotate(id, options, place, { out, error })),
  );
inDatabase(keys, 'rotate-signing-key', 'sign keys with a new key; those that the old one signed go on working')
  .option('--grace <duration>', 'until then, as 30d; 0s: not at all; without it until they expire')
  .action((options) =>
    inPlace(options, async (place) => (await keyCommands()).keysRotateSigningKey(options, place, { out, error })),
  );
inDatabase(keys, 'revoke', 'revoke a key')
  .argument('<id>')
  .action((id: string, options) =>
    inPlace(options, async (place) => (await keyCommands()).keysRevoke(id, place, { out, error })),
  );

inDatabase(program, 'usage', 'requests, tokens and cost, from the ledger')
  .option(
    '--by <dimensions>',
    'comma-separated: subject, user, virtualaccount, key, team, model, target, provider, day, hour, metadata.KEY',
  )
  .option('--since <time>', 'as 7d (before now) or 2026-11-22 or 2026-11-22T10:00Z', '7d')
  .option('--until <time>', 'the same; now without it')
  .option('--format <format>', 'table, json or csv', 'table')
  .action((options) =>
    inPlace(options, async (place) => (await import('./cli/usage.ts')).usage(options, place, { out, error })),
  );

inDatabase(program, 'backup', 'copy a data folder, also while its gateway runs; the copy is a data folder again')
  .argument('<folder>', 'new, or empty')
  .hook('preAction', behindGateway)
  .action((folder: string, options) =>
    inPlace(options, async (place) => (await import('./cli/backup.ts')).backup(folder, place, { out, error })),
  );

const ledger = program.command('ledger').description('verify the ledger, print receipts, export it, erase a person');
inDatabase(ledger, 'verify', 'compute every hash and every cost again; exit 1 where something does not hold')
  .hook('preAction', behindGateway)
  .action((options) => inPlace(options, async (place) => (await ledgerCommands()).ledgerVerify(place, { out, error })));
inDatabase(ledger, 'erase', 'take a person out of the ledger, for good; sums stay, and verify still holds')
  .option('--subject <subject>', 'user:EMAIL or virtualaccount:NAME, whose keys have ended')
  .option('--metadata <key=value>', 'a value of request metadata, whoever sent it; repeatable', several)
  .action((options) =>
    inPlace(options, async (place) => (await ledgerCommands()).ledgerErase(options, place, { out, error })),
  );
inDatabase(ledger, 'export', 'print every exchange, also while the gateway runs')
  .option('--since <time>', 'by its end, as 7d (before now) or 2026-11-22 or 2026-11-22T10:00Z; the oldest without it')
  .option('--until <time>', 'the same; now without it')
  .option('--format <format>', 'jsonl or csv', 'jsonl')
  .hook('preAction', behindGateway)
  .action((options) =>
    inPlace(options, async (place) => (await ledgerCommands()).ledgerExport(options, place, { out, error })),
  );
inDatabase(ledger, 'receipt', 'what is known of one exchange')
  .argument('<id>', 'as in x-sluice-exchange-id')
  .action((id: string, options) =>
    inPlace(options, async (place) => (await ledgerCommands()).ledgerReceipt(id, place, { out, error })),
  );

await program.parseAsync();

/** Each command loads its own code: a gateway must be ready soon, and needs none of the others. */
function keyCommands() {
  return import('./cli/keys.ts');
}

function ledgerCommands() {
  return import('./cli/ledger.ts');
}

async function addContext() {
  const { askSecret } = await import('./cli/ask-secret.ts');
  return { providers: knownProviders(), environment: environment(), askSecret, out, error };
}

async function behindGateway(): Promise<void> {
  (await import('./cli/give-way.ts')).giveWay();
}

/** A command over a gateway's database, with the options that say where it is. */
function inDatabase(parent: Command, name: string, description: string): Command {
  return parent
    .command(name)
    .description(description)
    .option('--data-dir <folder>', 'data folder of the gateway')
    .option('--config <path>', 'configuration of the gateway: it says where its database is, repeatable', several)
    .option(...DOTENV);
}

/** Does its work in the database that those options name; what it gives is the exit code. */
async function inPlace(options: PlaceOptions, work: (place: CommandPlace) => Promise<number>): Promise<void> {
  const { placeOf } = await import('./cli/with-database.ts');
  const place = placeOf(options, { environment: environment(), kinds, wellKnown: wellKnown() }, { error });
  process.exitCode = place === undefined ? 1 : await work(place);
}
