import { defined, entryOf, type Imported, type Source, textOf } from './imported.ts';
import { HOSTS, KINDS, OWN_SERVERS } from './provider-names.ts';
import { type Secrets, variableOf } from './secrets.ts';

/** How a provider is reached and paid, in words that all of the other gateways have. */
export interface Access {
  readonly provider: string;
  /** The name of the account, where it matters to clients. */
  readonly name?: string | undefined;
  /** Where it stands, for notes. */
  readonly path: string;
  readonly apiKey?: unknown;
  readonly furtherKeys?: readonly unknown[] | undefined;
  readonly baseUrl?: unknown;
  readonly apiVersion?: unknown;
  readonly region?: unknown;
  readonly accessKeyId?: unknown;
  readonly secretAccessKey?: unknown;
  readonly sessionToken?: unknown;
  readonly roleArn?: unknown;
  readonly project?: unknown;
  /** A service account: the path of its file, or its JSON. */
  readonly keyFile?: unknown;
}

/** A model that an account is to list. */
export interface Model {
  /** As clients know it. */
  readonly name: string;
  readonly modelId: string;
  readonly types: readonly string[];
  readonly cost?: object | undefined;
  /** What an Azure deployment of any name is, for its list price. */
  readonly baseModel?: string | undefined;
}

/** The kind and the keys of an account, but for its name and its models; and what each of its models says beside. */
interface Place {
  readonly name: string;
  readonly manifest: Source;
  readonly integration: string;
  readonly perModel: Source;
}

interface Account {
  readonly name: string;
  readonly manifest: Source;
  readonly models: Map<string, object>;
}

export interface KnownProviders {
  /** Kinds of account: `provider-account/…`. */
  readonly types: ReadonlySet<string>;
  /** Hosts of `provider-account/openai-compatible`. */
  readonly hosts: readonly string[];
  isHost(name: string): boolean;
  /** The variable that holds the key of an account by custom. */
  variableOf(type: string, host: string | undefined): string | undefined;
}

const INTEGRATIONS: Readonly<Record<string, string>> = {
  'google-gemini': 'gemini',
  'google-vertex': 'vertex',
  'aws-bedrock': 'bedrock',
};
/** A provider may be called as its kind is called here. */
const KIND_NAMES: ReadonlySet<string> = new Set(Object.values(KINDS));
const OPENAI_ORIGIN = /^https:\/\/api\.openai\.com(?:\/v1)?\/?$/;
const ACCOUNT_NAME = /^[A-Za-z0-9._-]{1,64}$/;
const MODEL_NAME = /^[A-Za-z0-9._:/@+-]{1,191}$/;

/** The accounts that an import makes: one for each way to reach and pay a provider. */
export class Accounts {
  readonly #imported: Imported;
  readonly #secrets: Secrets;
  readonly #known: KnownProviders;
  readonly #accounts = new Map<string, Account>();
  readonly #names = new Set<string>();

  constructor(imported: Imported, secrets: Secrets, known: KnownProviders) {
    this.#imported = imported;
    this.#secrets = secrets;
    this.#known = known;
  }

  /** An account that passes any model id on. Its name is what stands before the `/`. Undefined: it cannot be made. */
  open(access: Access): string | undefined {
    const place = this.#placeOf(access, { name: '*', modelId: '*', types: [] });
    if (place === undefined) return undefined;
    if (place.integration === 'integration/model/azure-foundry') {
      this.#imported.lost(access.path, 'an account of Azure Foundry has to list its models');
      return undefined;
    }
    return this.#accountOf(place, 'open').name;
  }

  /** `account/name` of a model that an account lists. Undefined: it cannot be made, and a note says why. */
  list(access: Access, model: Model): string | undefined {
    const place = this.#placeOf(access, model);
    if (place === undefined) return undefined;
    const account = this.#accountOf(place, 'listed');
    const integration = defined({
      type: place.integration,
      model_id: model.modelId,
      model_types: model.types,
      cost: model.cost,
      ...place.perModel,
    });
    let name = MODEL_NAME.test(model.name) ? model.name : model.modelId.replaceAll(/[^A-Za-z0-9._:/@+-]/g, '-');
    const same = (existing: object | undefined): boolean =>
      existing === undefined || JSON.stringify({ ...existing, name }) === JSON.stringify({ name, ...integration });
    const wanted = name;
    for (let count = 2; !same(account.models.get(name)); count += 1) name = `${wanted}-${count}`;
    account.models.set(name, { name, ...integration });
    return `${account.name}/${name}`;
  }

  manifests(): object[] {
    return [...this.#accounts.values()].map(({ name, manifest: { type, ...rest }, models }) => ({
      type,
      name,
      ...rest,
      ...(models.size > 0 && { integrations: [...models.values()] }),
    }));
  }

  #accountOf({ name, manifest }: Place, models: 'open' | 'listed'): Account {
    const key = JSON.stringify([models, models === 'open' && name, manifest]);
    const known = this.#accounts.get(key);
    if (known !== undefined) return known;
    const wanted = ACCOUNT_NAME.test(name) ? name : name.replaceAll(/[^A-Za-z0-9._-]/g, '-').slice(0, 60);
    let free = wanted;
    for (let count = 2; this.#names.has(free); count += 1) free = `${wanted}-${count}`;
    this.#names.add(free);
    const account = { name: free, manifest, models: new Map<string, object>() };
    this.#accounts.set(key, account);
    return account;
  }

  #placeOf(access: Access, model: Model): Place | undefined {
    const { provider, path } = access;
    const baseUrl = this.#secrets.plain(access.baseUrl);
    const isOwn = OWN_SERVERS.has(provider) || (provider === 'openai' && !isOpenAi(baseUrl));
    const host = isOwn ? undefined : this.#hostOf(provider);
    const own = entryOf(KINDS, provider) ?? (KIND_NAMES.has(provider) ? provider : undefined);
    const kind = isOwn || host !== undefined ? 'openai-compatible' : own;
    const type = `provider-account/${kind}`;
    if (kind === undefined || !this.#known.types.has(type)) {
      this.#imported.lost(
        path,
        `\`${provider}\` is no provider that is known here; a \`base_url\` of OpenAI's form would do`,
      );
      return undefined;
    }
    if (isOwn && baseUrl === undefined) {
      this.#imported.lost(path, `\`${provider}\` has no address: a server of your own needs one`);
      return undefined;
    }
    const name = access.name ?? (isOwn ? 'own' : (host ?? kind));
    const variable = this.#known.variableOf(type, host) ?? `${name.toUpperCase().replaceAll(/\W/g, '_')}_API_KEY`;
    const key = this.#secrets.reference(access.apiKey, `${path}.api_key`, variable);
    const further = access.furtherKeys?.flatMap((each) => this.#secrets.reference(each, path, variable) ?? []);
    const furtherKeys = further && further.length > 0 ? { further_api_keys: further } : {};
    const place = { name, integration: `integration/model/${entryOf(INTEGRATIONS, kind) ?? kind}`, perModel: {} };
    const keyed = (field = 'api_key', fallback = variableOf(variable)) => ({
      type: 'api-key',
      [field]: key ?? fallback,
      ...furtherKeys,
    });
    switch (kind) {
      case 'aws-bedrock':
        return {
          ...place,
          manifest: defined({ type, region: this.#region(access), auth_data: this.#awsAuth(access, key) }),
        };
      case 'google-vertex':
        return { ...place, manifest: this.#vertex(access, type) };
      case 'google-gemini':
        return { ...place, manifest: defined({ type, auth_data: keyed('apiKey'), base_url: baseUrl }) };
      case 'ollama':
        return { ...place, manifest: defined({ type, auth_data: baseUrl && { custom_host: baseUrl } }) };
      case 'azure-openai':
      case 'azure-foundry': {
        if (baseUrl === undefined) {
          this.#imported.lost(path, 'an account of Azure needs the address of its resource');
          return undefined;
        }
        const own = { auth_data: keyed('api_key', variableOf('AZURE_API_KEY')), azure_endpoint: baseUrl };
        const versioned = defined({
          api_version: this.#secrets.plain(access.apiVersion),
          foundation_model: model.baseModel,
        });
        return kind === 'azure-openai'
          ? { ...place, manifest: { type, ...own }, perModel: model.modelId === '*' ? {} : versioned }
          : { ...place, manifest: { type }, perModel: { ...own, ...versioned } };
      }
      case 'openai-compatible':
        return {
          ...place,
          manifest: defined({
            type,
            host,
            base_url: baseUrl,
            auth_data: isOwn && key === undefined ? undefined : keyed(),
          }),
        };
      default:
        return {
          ...place,
          manifest: defined({ type, auth_data: keyed(), base_url: kind === 'openai' ? undefined : baseUrl }),
        };
    }
  }

  #hostOf(provider: string): string | undefined {
    const host = entryOf(HOSTS, provider) ?? provider;
    return this.#known.isHost(host) ? host : undefined;
  }

  #region(access: Access): string {
    return this.#secrets.plain(access.region) ?? variableOf('AWS_REGION');
  }

  #awsAuth({ accessKeyId, secretAccessKey, sessionToken, roleArn, path }: Access, key: string | undefined) {
    const role = this.#secrets.plain(roleArn);
    if (role !== undefined) return { type: 'assumed-role-based', assumed_role_arn: role };
    const id = this.#secrets.reference(accessKeyId, `${path}.aws_access_key_id`, 'AWS_ACCESS_KEY_ID');
    const secret = this.#secrets.reference(secretAccessKey, `${path}.aws_secret_access_key`, 'AWS_SECRET_ACCESS_KEY');
    if (id !== undefined && secret !== undefined) {
      const token = this.#secrets.reference(sessionToken, `${path}.aws_session_token`, 'AWS_SESSION_TOKEN');
      return defined({ type: 'access-key-based', access_key_id: id, secret_access_key: secret, session_token: token });
    }
    return key === undefined ? undefined : { type: 'api-key', api_key: key };
  }

  #vertex({ project, region, keyFile, path }: Access, type: string): Source {
    const file = textOf(keyFile);
    const isPath = file !== undefined && /\.json$/.test(file);
    const content = isPath
      ? `\${file:${file}}`
      : this.#secrets.reference(file, `${path}.vertex_credentials`, 'VERTEX_CREDENTIALS');
    return defined({
      type,
      project_id: this.#secrets.plain(project),
      region: this.#secrets.plain(region),
      auth_data: content && { type: 'key-file', key_file_content: content },
    });
  }
}

function isOpenAi(baseUrl: string | undefined): boolean {
  return baseUrl === undefined || OPENAI_ORIGIN.test(baseUrl);
}
