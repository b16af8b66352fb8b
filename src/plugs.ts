import { isArray, objectOf } from './codec/json-value.ts';
import type { AccountManifest, Configuration } from './config/configuration.ts';
import type { Environment } from './config/environment.ts';
import type { GuardKind } from './config/guardrails/guard-schemas.ts';
import type { GuardConfig } from './config/guardrails/guardrails.ts';
import type { AccountKind, WellKnownAccount } from './config/load.ts';
import { codeLoader } from './core/code-loader.ts';
import { madeOnce } from './core/made-once.ts';
import { runToEnd, type Steps } from './core/steps.ts';
import type { Dialect } from './dialects/dialect.ts';
import type { RealtimeWords } from './dialects/realtime-words.ts';
import { MODEL_TYPES_OF, type Operation } from './inference/operation.ts';
import type { Credential, TokenSource, Tokens } from './providers/credential.ts';
import type { GuardCredentials, Probe, ProviderAccount, ProviderPlug, WellKnown, Wire } from './providers/provider.ts';
import type { RealtimeForm } from './providers/realtime-form.ts';

/** What has to be known of a vendor before a configuration names it. A test holds each row against its plug. */
interface Vendor {
  readonly type: string;
  /** Environment variables that make an account where nothing is configured; each list makes one. */
  readonly variables: readonly (readonly string[])[];
  readonly passedAt: readonly string[];
  readonly guards: readonly GuardKind[];
  /** Its code, which is loaded with the first call in a thread. */
  plug(): ProviderPlug;
}

/**
 * Code of a vendor or a dialect is loaded at once, since a configuration is read and put into force at once. No exchange
 * comes here: what it may need was loaded with its configuration.
 */
const load = codeLoader(import.meta.url);

type Facts = Partial<Pick<Vendor, 'variables' | 'passedAt' | 'guards'>>;

/** `from`: the file that exports its plug; absent: that of the folder of its name. */
function vendor(name: string, facts: Facts & { readonly from?: string } = {}): Vendor {
  const { variables = [], passedAt = [], guards = [], from = `${name}/index` } = facts;
  const plug = madeOnce((): ProviderPlug => load(`./providers/${from}`).plug);
  return { type: `provider-account/${name}`, variables, passedAt, guards, plug };
}

/** The kinds of account whose hosts are rows of a table, which is loaded for them. */
const hosts = madeOnce((): readonly Vendor[] => {
  const { HOSTS }: typeof import('./providers/openai-compatible/hosts.ts') = load(
    './providers/openai-compatible/hosts',
  );
  const others = HOSTS.filter(({ kind }) => kind === undefined);
  const named = HOSTS.filter(({ kind, ownPlug }) => kind !== undefined && !ownPlug);
  const host = (type: string, variables: readonly (string | undefined)[]): Vendor => ({
    type,
    variables: variables.flatMap((variable) => (variable === undefined ? [] : [[variable]])),
    passedAt: [],
    guards: [],
    plug: madeOnce(() => load('./providers/openai-compatible/index').hostPlugOf(type)),
  });
  return [
    ...named.map(({ kind, variable }) => host(`provider-account/${kind}`, [variable])),
    host(
      'provider-account/openai-compatible',
      others.map(({ variable }) => variable),
    ),
  ];
});

/** AUDIO_PATHS of base/speech.ts, which brings more than that. */
const AUDIO_PATHS = ['/stt/{account}/{*path}', '/tts/{account}/{*path}'];

/**
 * The one file that names vendors and dialects; everybody else is handed these lists, and all others are made of them. Their
 * order is that of the accounts which variables make.
 */
const FIRST_VENDORS: readonly Vendor[] = [
  vendor('openai', { variables: [['OPENAI_API_KEY']], passedAt: ['/fine_tuning/{*path}'] }),
  vendor('anthropic', { variables: [['ANTHROPIC_API_KEY']] }),
  vendor('google-gemini', { variables: [['GEMINI_API_KEY']], passedAt: ['/gemini/{account}/proxy/{*path}'] }),
  vendor('aws-bedrock', {
    variables: [['AWS_BEARER_TOKEN_BEDROCK', 'AWS_ACCESS_KEY_ID']],
    passedAt: ['/bedrock/proxy/{*path}'],
    guards: ['aws-bedrock'],
  }),
  vendor('aws-bedrock-mantle'),
  vendor('aws-claude-platform'),
  vendor('aws-sagemaker'),
  vendor('cohere', { variables: [['COHERE_API_KEY', 'CO_API_KEY']] }),
];
/** Behind the hosts. */
const MORE_VENDORS: readonly Vendor[] = [
  vendor('google-vertex', { guards: ['google-model-armor'] }),
  vendor('azure-openai', {
    guards: ['azure-pii', 'azure-content-safety', 'azure-prompt-shield'],
    from: 'azure/azure-openai',
  }),
  vendor('azure-foundry', { from: 'azure/azure-foundry' }),
  vendor('databricks'),
  vendor('snowflake-cortex'),
  vendor('cloudera'),
  vendor('self-hosted-model'),
  vendor('ollama'),
  vendor('elevenlabs', { variables: [['ELEVENLABS_API_KEY']], passedAt: AUDIO_PATHS }),
  vendor('deepgram', { variables: [['DEEPGRAM_API_KEY']], passedAt: AUDIO_PATHS }),
  vendor('cartesia', { variables: [['CARTESIA_API_KEY']], passedAt: AUDIO_PATHS }),
  vendor('smallest-ai', { variables: [['SMALLEST_API_KEY']] }),
  vendor('nomic', { variables: [['NOMIC_API_KEY']] }),
  vendor('custom-endpoint'),
];
const OWN_FOLDER = new Map([...FIRST_VENDORS, ...MORE_VENDORS].map((each) => [each.type, each]));
const all = (): Vendor[] => [...FIRST_VENDORS, ...hosts(), ...MORE_VENDORS];

function vendorOf(type: string): Vendor | undefined {
  return OWN_FOLDER.get(type) ?? hosts().find((each) => each.type === type);
}

/** The plugs of all vendors; this loads the code of all. Documentation and tests ask for them. */
export function allPlugs(): ProviderPlug[] {
  return all().map(({ plug }) => plug());
}

/** Every wire of these. */
export function wiresOf(plugs: readonly ProviderPlug[]): Wire[] {
  return [...new Set(plugs.flatMap(({ wires }) => wires))];
}

/** Looks through those of one vendor after another, which loads them until it is found. */
export function wireNamed(name: string): Wire | undefined {
  for (const { plug } of all()) {
    const found = plug().wires.find((wire) => wire.name === name);
    if (found) return found;
  }
  return undefined;
}

/** The form of realtime sessions that clients speak at this path of an account. */
export function realtimeForm(path: string, type: 'realtime' | 'transcription' = 'realtime'): RealtimeForm {
  if (path.includes('BidiGenerateContent')) return load('./providers/gemini-generate-content/live').geminiLive;
  return type === 'transcription'
    ? load('./providers/openai-compatible/realtime-transcription').openAiTranscription
    : load('./providers/openai-compatible/realtime').openAiRealtime;
}

/** Where words stand in that form, for guards. */
export function realtimeWords(path: string): RealtimeWords {
  return path.includes('BidiGenerateContent')
    ? load('./dialects/gemini-live/words').geminiLiveWords
    : load('./dialects/openai-realtime/words').openAiRealtimeWords;
}

/** What has to be known of a dialect where nobody speaks it. A test holds each row against it. */
interface Spoken {
  readonly operation: Operation;
  /** As `to` of its translation. */
  readonly to: readonly Operation[];
  /** Its code, which is loaded with the first call in a thread. */
  dialect(): Dialect;
}

/** `from`: the file that exports it under `name`, absent: the index of its folder. */
function spoken(folder: string, name: string, operation: Operation, to: readonly Operation[], from = 'index'): Spoken {
  return { operation, to, dialect: madeOnce((): Dialect => load(`./dialects/${folder}/${from}`)[name]) };
}

/** The first one speaks chats, and answers for what has no form of its own. */
export const SPOKEN: readonly Spoken[] = [
  spoken('openai-chat', 'openAiChat', 'chat', ['chat', 'messages']),
  spoken('anthropic-messages', 'anthropicMessages', 'messages', ['messages', 'chat']),
  spoken('anthropic-messages', 'anthropicCountTokens', 'count-tokens', ['count-tokens'], 'count-tokens'),
  spoken('openai-completions', 'openAiCompletions', 'completion', ['completion', 'chat', 'messages']),
  spoken('openai-embeddings', 'openAiEmbeddings', 'embedding', ['embedding']),
  spoken('openai-moderations', 'openAiModerations', 'moderation', []),
  spoken('cohere-rerank', 'cohereRerank', 'rerank', ['rerank']),
  spoken('mistral-ocr', 'mistralOcr', 'ocr', ['ocr']),
  spoken('openai-images', 'openAiImages', 'image', ['image']),
  spoken('openai-images', 'openAiImageEdits', 'image-edit', ['image-edit']),
  spoken('openai-images', 'openAiImageVariations', 'image-variation', ['image-variation']),
  spoken('openai-audio', 'openAiSpeech', 'speech', ['speech']),
  spoken('openai-audio', 'openAiTranscriptions', 'transcription', ['transcription']),
  spoken('openai-audio', 'openAiTranslations', 'audio-translation', ['audio-translation']),
  spoken('openai-responses', 'openAiResponses', 'responses', ['chat', 'messages']),
  spoken('openai-responses', 'openAiInputTokens', 'count-tokens', ['count-tokens'], 'input-tokens'),
  spoken('openai-responses', 'openAiCompaction', 'compaction', ['chat', 'messages'], 'compaction'),
];

/** Every form that clients speak, and what is known of each whoever speaks it; loads their code. */
export const dialects = madeOnce((): readonly Dialect[] => SPOKEN.map(({ dialect }) => dialect()));

/** Client headers that a provider of these accounts takes, that are metadata of a dialect, or that tell its clients. */
export function forwardable({ accounts }: Pick<Configuration, 'accounts'>): string[] {
  const plugs = [...new Set(accounts.map(plugOf))];
  return [
    ...new Set([
      ...wiresOf(plugs).flatMap((wire) => wire.forwards),
      ...plugs.flatMap((plug) => plug.forwards ?? []),
      ...dialects().flatMap(({ metadataHeaders = {} }) => Object.keys(metadataHeaders)),
      ...dialects().flatMap(({ modelList }) => modelList?.header ?? []),
    ]),
  ];
}

/** Paths behind which requests pass as they are to a provider, each with the kinds of account that it is for. */
export const PASSED_AT: ReadonlyMap<string, ReadonlySet<string>> = passedAt();

function passedAt(): Map<string, Set<string>> {
  const kinds = new Map<string, Set<string>>();
  for (const { type, passedAt: patterns } of OWN_FOLDER.values()) {
    for (const pattern of patterns) kinds.set(pattern, (kinds.get(pattern) ?? new Set()).add(type));
  }
  return kinds;
}

/** Accounts that variables make where nothing is configured. */
export function wellKnown(): WellKnownAccount[] {
  return all().flatMap(({ variables, plug }) =>
    variables.map(([variable = '', ...otherVariables]) => {
      const made = (): WellKnown | undefined => {
        const { wellKnown: first, otherWellKnown = [] } = plug();
        return [first, ...otherWellKnown].find((each) => each?.variable === variable);
      };
      return {
        variable,
        otherVariables,
        get account() {
          return made()?.account ?? '';
        },
        manifest: (value: string, environment?: Environment) => made()?.manifest(value, environment),
      };
    }),
  );
}

/** The kinds of account that a configuration may hold. What they are is loaded for the first manifest of one. */
export function accountKinds(): AccountKind[] {
  return all().map(({ type, plug }) => ({
    type,
    get schema() {
      return plug().schema;
    },
    get servedModelTypes() {
      return servedModelTypes(plug());
    },
    get tellingNames() {
      return plug().tellingNames;
    },
  }));
}

/** What models of such an account may be for, so that a client can ask them. */
function servedModelTypes({ wires }: ProviderPlug): ReadonlySet<string> {
  const operations = new Set(wires.map(({ operation }) => operation));
  const served = SPOKEN.filter(({ operation, to }) => [operation, ...to].some((one) => operations.has(one)));
  // No dialect speaks for sessions over WebSockets: their messages pass in the form of the wire.
  const sessions = operations.has('realtime') ? MODEL_TYPES_OF.realtime : [];
  return new Set([...served.flatMap(({ operation }) => MODEL_TYPES_OF[operation]), ...sessions]);
}

/** What can be told of providers by name: kinds of account, hosts, and the variables that hold their keys by custom. */
export function knownProviders() {
  const { HOSTS }: typeof import('./providers/openai-compatible/hosts.ts') = load(
    './providers/openai-compatible/hosts',
  );
  const unnamed = new Map(HOSTS.flatMap((row) => (row.kind === undefined ? [[row.id, row.variable] as const] : [])));
  const types = new Map(all().map(({ type, variables }) => [type, variables[0]?.[0]]));
  return {
    types: new Set(types.keys()),
    hosts: [...unnamed.keys()],
    isHost: (name: string): boolean => unnamed.has(name),
    variableOf: (type: string, host: string | undefined): string | undefined =>
      host === undefined ? (type.endsWith('/openai-compatible') ? undefined : types.get(type)) : unnamed.get(host),
  };
}

/** The accounts of a configuration, the demo account among them where it applies. */
export function openAccounts(
  configuration: Pick<Configuration, 'accounts' | 'server'>,
  tokens: Tokens,
): ProviderAccount[] {
  return runToEnd(accountsInSteps(configuration, tokens));
}

/** By the tokens that sign their requests and the manifest, which a reload keeps where it says the same. */
const opened = new WeakMap<Tokens, WeakMap<AccountManifest, ProviderAccount>>();

/** The same; a step for each account: one of two hundred models takes 5 to 10 ms to read. */
export function* accountsInSteps(
  configuration: Pick<Configuration, 'accounts' | 'server'>,
  tokens: Tokens,
): Steps<ProviderAccount[]> {
  const known = opened.get(tokens) ?? new WeakMap<AccountManifest, ProviderAccount>();
  opened.set(tokens, known);
  const accounts: ProviderAccount[] = [];
  for (const manifest of configuration.accounts) {
    const account = known.get(manifest) ?? openAccount(manifest, tokens);
    known.set(manifest, account);
    accounts.push(account);
    yield;
  }
  if (hasDemo(configuration)) accounts.push(load('./providers/demo/index').demoAccount());
  return accounts;
}

function openAccount(manifest: AccountManifest, tokens: Tokens): ProviderAccount {
  const [account, ...others] = withEachKey(manifest).map((each) => plugOf(manifest).open(each, tokens));
  return others.length === 0 ? account! : { ...account!, others };
}

function hasDemo({ accounts, server: { demo } }: Pick<Configuration, 'accounts' | 'server'>): boolean {
  return demo === true || (demo === 'auto' && accounts.length === 0);
}

/** Models are named here, not asked. */
const NO_TOKENS = new Map<string, never>();

/** A model that can be asked, the best first; undefined: none is known. The code of the demo account is not loaded for it. */
export function exampleModel(configuration: Pick<Configuration, 'accounts' | 'server'>): string | undefined {
  for (const manifest of configuration.accounts) {
    const { name, listed, exampleModel: usual } = plugOf(manifest).open(manifest, NO_TOKENS);
    if (listed[0]) return listed[0].id;
    if (usual !== undefined) return `${name}/${usual}`;
  }
  return hasDemo(configuration) ? 'demo/chat' : undefined;
}

/** The same manifest with each key of its account. */
function withEachKey(manifest: AccountManifest): AccountManifest[] {
  const auth = objectOf(manifest['auth_data']);
  const keys = auth?.['further_api_keys'];
  if (auth === undefined || !isArray(keys)) return [manifest];
  const name = 'apiKey' in auth ? 'apiKey' : 'api_key';
  return [manifest, ...keys.map((key) => ({ ...manifest, auth_data: { ...auth, [name]: key } }))];
}

/** Where the accounts of a configuration get their tokens. */
export function tokenSources({ accounts, guards }: Pick<Configuration, 'accounts' | 'guards'>): TokenSource[] {
  const ofAccounts = accounts.flatMap((manifest) => plugOf(manifest).tokenSources?.(manifest) ?? []);
  return [...ofAccounts, ...guards.flatMap(guardTokenSources)];
}

function guardTokenSources(guard: GuardConfig): readonly TokenSource[] {
  try {
    return guardPlugOf(guard.kind)?.tokenSources(guard) ?? [];
  } catch {
    // The reader of its credential says why: the guard is an error whenever it is asked.
    return [];
  }
}

/** How a guard is authorised that is a service of a vendor; undefined: it is none. Throws where it has no credential. */
export function guardCredential(guard: GuardConfig, tokens: Tokens): Credential | undefined {
  return guardPlugOf(guard.kind)?.open(guard, tokens);
}

/** The plug of the vendor whose service such guards are. */
export function guardPlugOf(kind: GuardKind): GuardCredentials | undefined {
  return [...OWN_FOLDER.values()].find(({ guards }) => guards.includes(kind))?.plug().guards;
}

/** How accounts of a kind are asked whether their credential works. */
export function probeOf(accountType: string): Probe | undefined {
  return vendorOf(accountType)?.plug().probe;
}

function plugOf({ type }: AccountManifest): ProviderPlug {
  const known = vendorOf(type);
  if (!known) throw new Error(`no plug for ${type}: config must have refused it`);
  return known.plug();
}
