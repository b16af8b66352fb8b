// biome-ignore-all lint/suspicious/noTemplateCurlyInString: `${env:NAME}` is our own syntax, not a template
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { manifestsAsYaml } from '../config/documents/yaml-documents.ts';
import type { Environment } from '../config/environment.ts';
import { nearNames } from '../core/near-names.ts';
import { Accounts, type KnownProviders } from './import/accounts.ts';
import { entryOf, Imported } from './import/imported.ts';
import { HOSTS, KINDS, modelTypeOf } from './import/provider-names.ts';
import { Secrets, variableOf } from './import/secrets.ts';
import type { CommandOutput } from './with-database.ts';

export interface AddContext extends CommandOutput {
  readonly providers: KnownProviders;
  readonly environment: Environment;
  /** Asks for a secret, which nobody sees; empty: none was given. */
  askSecret(question: string): Promise<string>;
}

export interface AddOptions {
  readonly config: string;
  readonly name?: string;
  readonly model?: readonly string[];
  readonly baseUrl?: string;
  readonly region?: string;
}

/** Their credentials come from where they run, or there are none. */
const WITHOUT_KEY: ReadonlySet<string> = new Set(['ollama', 'aws-bedrock', 'google-vertex']);
const NAME = /^[A-Za-z0-9._-]{1,64}$/;

/**
 * `sluice add PROVIDER`: a file with its account in a folder of manifests. A running gateway sees it by itself, so its key
 * is kept in a file beside it unless the variable of that provider is set here.
 */
export async function addProvider(provider: string, options: AddOptions, context: AddContext): Promise<number> {
  const { providers, environment, out, error } = context;
  const { config: folder, name = provider } = options;
  const [file, keyFile] = [join(folder, `${name}.yaml`), join(folder, `${name}.key`)];
  const own = options.baseUrl !== undefined && !isKnown(provider, providers);
  if (!NAME.test(name))
    return refuse(error, `--name: found "${name}"; allowed are 1 to 64 characters of A–Z a–z 0–9 . _ -`);
  if (!own && !isKnown(provider, providers)) {
    const near = nearNames(provider, namesOf(providers)).map((each) => `\`${each}\``);
    const hint = near.length > 0 ? `Did you mean ${near.join(' or ')}?` : 'docs/providers.md lists them.';
    return refuse(
      error,
      `\`${provider}\` is no provider that is known. ${hint} With --base-url any host of OpenAI's form works`,
    );
  }
  if (existsSync(file)) return refuse(error, `${file} is there already: choose another --name, or edit it`);
  const kind = own ? 'openai-compatible' : (entryOf(KINDS, provider) ?? provider);
  const host = entryOf(HOSTS, provider) ?? provider;
  const variable = providers.variableOf(`provider-account/${kind}`, providers.isHost(host) ? host : undefined);
  const isSet = variable !== undefined && (environment[variable] ?? '') !== '';
  const needsKey = !WITHOUT_KEY.has(kind) && !isSet;
  const secret = needsKey ? (await context.askSecret(`Key of ${name}: `)).trim() : '';
  if (needsKey && secret === '' && !own) {
    const set = variable === undefined ? '' : `set ${variable}, or `;
    return refuse(error, `no key was given: ${set}type it when asked, or give it on standard input`);
  }
  const imported = new Imported();
  const accounts = new Accounts(imported, new Secrets({}, imported), providers);
  const apiKey = secret === '' ? (isSet ? variableOf(variable) : undefined) : `\${file:./${name}.key}`;
  const access = {
    provider: own ? 'custom_openai' : provider,
    name,
    path: provider,
    apiKey,
    baseUrl: options.baseUrl,
    region: options.region,
  };
  const models = options.model ?? [];
  const made =
    models.length === 0
      ? [accounts.open(access)]
      : models.map((model) => accounts.list(access, { name: model, modelId: model, types: [modelTypeOf(model)] }));
  if (made.some((each) => each === undefined)) {
    for (const { message } of imported.notes) error(`${provider}: ${message}; --base-url gives an address`);
    return 1;
  }
  mkdirSync(folder, { recursive: true });
  if (secret !== '') writeFileSync(keyFile, `${secret}\n`, { mode: 0o600 });
  writeFileSync(file, manifestsAsYaml(accounts.manifests()));
  out(`${file}: the account ${name}${secret === '' ? '' : `, whose key is in ${keyFile}`}`);
  out(
    `Clients ask for ${models.length === 0 ? `${name}/MODEL` : made.join(', ')}. Check it: sluice check --online ${folder}`,
  );
  return 0;
}

/** `sluice init`: a server with an admin key, a first key for clients, and an account for each variable that is set. */
export async function initialise(folder: string, context: AddContext): Promise<number> {
  const { providers, environment, out, error } = context;
  const there = existsSync(folder) ? readdirSync(folder).filter((name) => /\.ya?ml$/.test(name)) : [];
  if (there.length > 0)
    return refuse(error, `${folder} has manifests already (${there[0]}): use sluice add, or another folder`);
  mkdirSync(folder, { recursive: true });
  const writeKey = (name: string, key: string) => writeFileSync(join(folder, name), `${key}\n`, { mode: 0o600 });
  writeKey('admin.key', randomBytes(24).toString('base64url'));
  writeKey('client.key', `sk-sluice-${randomBytes(24).toString('base64url')}`);
  writeFileSync(join(folder, '.gitignore'), '*.key\n');
  const key = { name: 'first', key: '${file:./client.key}', subject: 'virtualaccount:first' };
  writeFileSync(
    join(folder, 'sluice.yaml'),
    manifestsAsYaml([
      { type: 'sluice/server', operator: { admin_key: '${file:./admin.key}' } },
      { type: 'sluice/api-keys', keys: [key] },
    ]),
  );
  out(`${join(folder, 'sluice.yaml')}: the server, with an admin key and a key for clients in files beside it`);
  const set = namesOf(providers).filter((name) => {
    const variable = providers.variableOf(`provider-account/${name}`, providers.isHost(name) ? name : undefined);
    return variable !== undefined && (environment[variable] ?? '') !== '';
  });
  for (const provider of set) await addProvider(provider, { config: folder }, { ...context, out: () => {} });
  out(
    set.length > 0
      ? `Accounts of variables that are set: ${set.join(', ')}`
      : `No provider yet, so add one: sluice add openai --config ${folder}`,
  );
  out(`Start: npm start -- --config ${folder}`);
  out(`Clients: export SLUICE_API_KEY=$(cat ${join(folder, 'client.key')})`);
  return 0;
}

function refuse(error: (text: string) => void, message: string): number {
  error(message);
  return 1;
}

function isKnown(provider: string, providers: KnownProviders): boolean {
  return (
    entryOf(KINDS, provider) !== undefined ||
    providers.isHost(entryOf(HOSTS, provider) ?? provider) ||
    ADDABLE.has(provider)
  );
}

/** Kinds that other gateways have no word for, or the same word. */
const ADDABLE: ReadonlySet<string> = new Set(Object.values(KINDS));

/** Each provider once, by its name here. */
function namesOf(providers: KnownProviders): string[] {
  return [...ADDABLE, ...providers.hosts];
}
