import { isArray, objectOf } from './codec/json-value.ts';
import type { AccountManifest, Configuration } from './config/configuration.ts';
import type { GuardConfig } from './config/guardrails/guardrails.ts';
import type { AccountKind } from './config/load.ts';
import { anthropicCountTokens } from './dialects/anthropic-messages/count-tokens.ts';
import { anthropicMessages } from './dialects/anthropic-messages/index.ts';
import { cohereRerank } from './dialects/cohere-rerank/index.ts';
import type { ApiForm, Dialect } from './dialects/dialect.ts';
import { openAiSpeech, openAiTranscriptions, openAiTranslations } from './dialects/openai-audio/index.ts';
import { openAiChat } from './dialects/openai-chat/index.ts';
import { openAiCompletions } from './dialects/openai-completions/index.ts';
import { openAiEmbeddings } from './dialects/openai-embeddings/index.ts';
import { openAiImageEdits, openAiImages, openAiImageVariations } from './dialects/openai-images/index.ts';
import { openAiModerations } from './dialects/openai-moderations/index.ts';
import { openAiCompaction } from './dialects/openai-responses/compaction.ts';
import { openAiResponses } from './dialects/openai-responses/index.ts';
import { openAiInputTokens } from './dialects/openai-responses/input-tokens.ts';
import { MODEL_TYPES_OF } from './inference/operation.ts';
import { plug as anthropic } from './providers/anthropic/index.ts';
import { plug as awsBedrock } from './providers/aws-bedrock/index.ts';
import { plug as awsBedrockMantle } from './providers/aws-bedrock-mantle/index.ts';
import { plug as awsClaudePlatform } from './providers/aws-claude-platform/index.ts';
import { plug as awsSageMaker } from './providers/aws-sagemaker/index.ts';
import { azureFoundry } from './providers/azure/azure-foundry.ts';
import { azureOpenAi } from './providers/azure/azure-openai.ts';
import { plug as cartesia } from './providers/cartesia/index.ts';
import { plug as cloudera } from './providers/cloudera/index.ts';
import { plug as cohere } from './providers/cohere/index.ts';
import { plug as customEndpoint } from './providers/custom-endpoint/index.ts';
import { plug as databricks } from './providers/databricks/index.ts';
import { plug as deepgram } from './providers/deepgram/index.ts';
import { demoAccount } from './providers/demo/index.ts';
import { plug as elevenlabs } from './providers/elevenlabs/index.ts';
import { plug as googleGemini } from './providers/google-gemini/index.ts';
import { plug as googleVertex } from './providers/google-vertex/index.ts';
import { plug as nomic } from './providers/nomic/index.ts';
import { plug as ollama } from './providers/ollama/index.ts';
import { plug as openai } from './providers/openai/index.ts';
import { HOST_PLUGS } from './providers/openai-compatible/index.ts';
import type {
  Credential,
  GuardCredentials,
  Probe,
  ProviderAccount,
  ProviderPlug,
  TokenSource,
  Tokens,
  WellKnown,
  Wire,
} from './providers/provider.ts';
import { plug as selfHostedModel } from './providers/self-hosted-model/index.ts';
import { plug as smallestAi } from './providers/smallest-ai/index.ts';
import { plug as snowflakeCortex } from './providers/snowflake-cortex/index.ts';

/** The one file that names vendors and dialects; everybody else is handed these lists, and all others are made of them. */
export const PLUGS: readonly ProviderPlug[] = [
  openai,
  anthropic,
  googleGemini,
  awsBedrock,
  awsBedrockMantle,
  awsClaudePlatform,
  awsSageMaker,
  cohere,
  ...HOST_PLUGS,
  googleVertex,
  azureOpenAi,
  azureFoundry,
  databricks,
  snowflakeCortex,
  cloudera,
  selfHostedModel,
  ollama,
  elevenlabs,
  deepgram,
  cartesia,
  smallestAi,
  nomic,
  customEndpoint,
];
export const DIALECTS: readonly Dialect[] = [
  openAiChat,
  anthropicMessages,
  anthropicCountTokens,
  openAiCompletions,
  openAiEmbeddings,
  openAiModerations,
  cohereRerank,
  openAiImages,
  openAiImageEdits,
  openAiImageVariations,
  openAiSpeech,
  openAiTranscriptions,
  openAiTranslations,
  openAiResponses,
  openAiInputTokens,
  openAiCompaction,
];
/** What is known of each form, whether a client speaks it or a provider. */
export const FORMS: readonly ApiForm[] = DIALECTS;
export const WIRES: readonly Wire[] = [...new Set(PLUGS.flatMap((plug) => plug.wires))];
/** Client headers that some provider takes, or that are metadata of a dialect. */
export const FORWARDABLE: readonly string[] = [
  ...new Set([
    ...WIRES.flatMap((wire) => wire.forwards),
    ...PLUGS.flatMap((plug) => plug.forwards ?? []),
    ...DIALECTS.flatMap(({ metadataHeaders = {} }) => Object.keys(metadataHeaders)),
  ]),
];

/** Paths behind which requests pass as they are to a provider, each with the kinds of account that it is for. */
export const PASSED_AT: ReadonlyMap<string, ReadonlySet<string>> = passedAt();

function passedAt(): Map<string, Set<string>> {
  const kinds = new Map<string, Set<string>>();
  for (const { type, passedAt: patterns = [] } of PLUGS) {
    for (const pattern of patterns) kinds.set(pattern, (kinds.get(pattern) ?? new Set()).add(type));
  }
  return kinds;
}

/** Accounts that variables make where nothing is configured. */
export const WELL_KNOWN: readonly WellKnown[] = PLUGS.flatMap(({ wellKnown, otherWellKnown = [] }) => [
  ...(wellKnown ? [wellKnown] : []),
  ...otherWellKnown,
]);

const byType = new Map(PLUGS.map((plug) => [plug.type, plug]));

/** The kinds of account that a configuration may hold. */
export const ACCOUNT_KINDS: readonly AccountKind[] = PLUGS.map((plug) => ({
  type: plug.type,
  // Made when first asked for, where a plug does so.
  get schema() {
    return plug.schema;
  },
  servedModelTypes: servedModelTypes(plug),
}));

/** What models of such an account may be for, so that a client can ask them. */
function servedModelTypes({ wires }: ProviderPlug): ReadonlySet<string> {
  const operations = new Set(wires.map(({ operation }) => operation));
  const served = DIALECTS.filter((each) =>
    [each.operation, ...(each.translation?.to ?? [])].some((one) => operations.has(one)),
  );
  return new Set(served.flatMap(({ operation }) => MODEL_TYPES_OF[operation]));
}

/** The accounts of a configuration, the demo account among them where it applies. */
export function openAccounts(
  configuration: Pick<Configuration, 'accounts' | 'server'>,
  tokens: Tokens,
): ProviderAccount[] {
  const accounts = configuration.accounts.map((manifest) => {
    const [account, ...others] = withEachKey(manifest).map((each) => plugOf(manifest).open(each, tokens));
    return others.length === 0 ? account! : { ...account!, others };
  });
  const { demo } = configuration.server;
  if (demo === true || (demo === 'auto' && accounts.length === 0)) accounts.push(demoAccount());
  return accounts;
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
    return guardPlugOf(guard)?.tokenSources(guard) ?? [];
  } catch {
    // Whoever opens its credential says why: the guard is an error whenever it is asked.
    return [];
  }
}

/** How a guard is authorised that is a service of a vendor; undefined: it is none. Throws where it has no credential. */
export function guardCredential(guard: GuardConfig, tokens: Tokens): Credential | undefined {
  return guardPlugOf(guard)?.open(guard, tokens);
}

function guardPlugOf({ kind }: GuardConfig): GuardCredentials | undefined {
  return PLUGS.find(({ guards }) => guards?.kinds.includes(kind))?.guards;
}

/** How accounts of a kind are asked whether their credential works. */
export function probeOf(accountType: string): Probe | undefined {
  return byType.get(accountType)?.probe;
}

function plugOf({ type }: AccountManifest): ProviderPlug {
  const plug = byType.get(type);
  if (!plug) throw new Error(`no plug for ${type}: config must have refused it`);
  return plug;
}
