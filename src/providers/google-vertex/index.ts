import { anthropicCountTokensWire } from '../anthropic-messages/count-tokens-wire.ts';
import { type AccountSetup, anyModelAccount, type ListedModel, listedAccount, targetOf } from '../base/account.ts';
import { listedModel } from '../base/listed-models.ts';
import { type MountSetup, mountAt, mountsOf } from '../base/mount.ts';
import { noBatches } from '../base/openai-batches.ts';
import type { Credential } from '../credential.ts';
import { geminiImagesWires } from '../gemini-generate-content/images.ts';
import { listTerms } from '../gemini-generate-content/list-terms.ts';
import { geminiLiveWire } from '../gemini-generate-content/live-wire.ts';
import { geminiSpeechWire } from '../gemini-generate-content/speech.ts';
import { geminiTranscriptsWires } from '../gemini-generate-content/transcripts.ts';
import { geminiWire } from '../gemini-generate-content/wire.ts';
import { hostedOcrWire } from '../openai-compatible/mistral-ocr.ts';
import { openAiChatWire } from '../openai-compatible/wire.ts';
import type { Abilities, Mounts, ProviderPlug } from '../provider.ts';
import { claudeOnVertexWire } from './claude-wire.ts';
import { vertexEmbeddingsWire } from './embeddings.ts';
import { vertexGuards } from './guards.ts';
import { schema, type, type VertexAccount } from './manifest.ts';
import { type PublishedModel, pathId, publishedModel } from './published-model.ts';
import { vertexRerankWire } from './rerank.ts';
import { vertexCredential, vertexTokenSource } from './token.ts';

/** What Google's own models are asked in. */
const GOOGLE_WIRES = [
  geminiWire,
  vertexEmbeddingsWire,
  ...geminiImagesWires,
  geminiSpeechWire,
  ...geminiTranscriptsWires,
];

/** Google's models, Claude, and the open models that Google serves. */
export const plug: ProviderPlug = {
  type,
  schema,
  wires: [
    ...GOOGLE_WIRES,
    geminiLiveWire,
    vertexRerankWire,
    claudeOnVertexWire,
    anthropicCountTokensWire,
    openAiChatWire,
    hostedOcrWire,
  ],
  // https://cloud.google.com/vertex-ai/docs/reference/rest/v1/publishers.models/get, which every credential may ask.
  probe: { path: '/publishers/google/models/gemini-2.5-flash' },
  guards: vertexGuards,
  tokenSources(checked) {
    const account = schema.parse(checked);
    return account.auth_data?.type === 'api-key' ? [] : [vertexTokenSource(account)];
  },
  open(checked, tokens) {
    const account = schema.parse(checked);
    const setup: AccountSetup = {
      manifest: account,
      // Google's models and Claude's, both at what Google asks for them.
      catalogueId: 'google',
      terms: listTerms,
      exampleModel: 'gemini-2.5-flash',
      abilities: ABILITIES.gemini,
      batches: noBatches(
        'Vertex reads and writes batches in Cloud Storage or BigQuery, which the gateway does not reach.',
      ),
    };
    const credential = vertexCredential(account, tokens);
    const known = new Map<string, Mounts>();
    const mountsFor = (form: PublishedModel['form'], region: string): Mounts => {
      const key = `${form} ${region}`;
      const mounts = known.get(key) ?? mountsOf(placesOf(account, region, form, credential).map(mountAt));
      known.set(key, mounts);
      return mounts;
    };
    const targetIn = (region: string, model: ListedModel) => {
      const { form, modelId } = publishedModel(model.modelId);
      const abilities = { ...ABILITIES[form], ...model.abilities };
      return targetOf(setup, mountsFor(form, region), { ...model, modelId, abilities });
    };
    const { region: usual = 'global', integrations } = account;
    if (integrations.length === 0) {
      return anyModelAccount(setup, (name) => targetIn(usual, { name, modelId: name, modelTypes: [] }));
    }
    const listed = integrations.map((each) => targetIn(each.region ?? usual, listedModel(each, each.model_id)));
    return listedAccount(setup, listed);
  },
};

/** Streams of Gemini and Claude always carry usage, as Mistral's do; templates of open models know no developer. */
const ABILITIES: Readonly<Record<PublishedModel['form'], Abilities>> = {
  gemini: { usageInStream: false, developerRole: true },
  claude: { usageInStream: false, developerRole: true },
  mistral: { usageInStream: false, developerRole: false },
  openai: { usageInStream: true, developerRole: false },
};

/** https://cloud.google.com/vertex-ai/generative-ai/docs/learn/locations */
function originOf(region: string): string {
  if (region === 'global') return 'https://aiplatform.googleapis.com';
  if (region === 'us' || region === 'eu') return `https://aiplatform.${region}.rep.googleapis.com`;
  return `https://${region}-aiplatform.googleapis.com`;
}

/** The base path is that of all resources, so that the probe finds what stands beside projects. */
function placesOf(
  account: VertexAccount,
  region: string,
  form: PublishedModel['form'],
  credential: Credential,
): MountSetup[] {
  const { project_id: project, base_url: base = originOf(region) } = account;
  const url = `${base}/v1`;
  const { pathname } = new URL(url);
  // Express mode knows no projects: https://cloud.google.com/vertex-ai/generative-ai/docs/start/express-mode/overview
  const root = project === undefined ? pathname : `${pathname}/projects/${project}/locations/${region}`;
  const at = { account, url, credential };
  switch (form) {
    case 'gemini':
      return [
        ...GOOGLE_WIRES.map(
          (wire): MountSetup => ({
            ...at,
            wire,
            path: (target, request) => {
              const isEndpoint = target.modelId.startsWith('endpoints/');
              return `${root}${isEndpoint ? '' : '/publishers/google'}${wire.path(target, request)}`;
            },
          }),
        ),
        {
          ...at,
          wire: geminiLiveWire,
          // https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/multimodal-live
          path: () =>
            `${pathname.replace(/\/v1$/, '')}/ws/google.cloud.aiplatform.v1.LlmBidiService/BidiGenerateContent`,
          sessionModel: ({ modelId }) =>
            `${root.replace(/^.*?(?=projects\/|$)/, '')}/publishers/google/models/${modelId}`,
        },
        ...rerankPlace(account, at),
      ];
    case 'claude':
      return [
        {
          ...at,
          wire: claudeOnVertexWire,
          path: (target, request) => root + claudeOnVertexWire.path(target, request),
        },
        // https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai: the model stands in the body here.
        {
          ...at,
          wire: anthropicCountTokensWire,
          path: () => `${root}/publishers/anthropic/models/count-tokens:rawPredict`,
        },
      ];
    case 'mistral':
      return [
        {
          ...at,
          wire: openAiChatWire,
          path: ({ modelId }, { stream }) => {
            const verb = stream ? 'streamRawPredict' : 'rawPredict';
            return `${root}/publishers/mistralai/models/${pathId(modelId)}:${verb}`;
          },
        },
        {
          ...at,
          wire: hostedOcrWire,
          path: ({ modelId }) => `${root}/publishers/mistralai/models/${pathId(modelId)}:rawPredict`,
        },
      ];
    case 'openai':
      return [{ ...at, wire: openAiChatWire, path: () => `${root}/endpoints/openapi/chat/completions` }];
  }
}

/**
 * The rank endpoint belongs to a project, and not to a region. Absent where the account names none: its path needs
 * it.
 */
function rerankPlace(account: VertexAccount, at: Omit<MountSetup, 'wire'>): MountSetup[] {
  const { project_id: project, base_url: base = 'https://discoveryengine.googleapis.com' } = account;
  if (project === undefined) return [];
  const url = `${base}/v1`;
  const root = `${new URL(url).pathname}/projects/${project}/locations/global`;
  const wire = vertexRerankWire;
  return [{ ...at, url, wire, path: (target, request) => root + wire.path(target, request) }];
}
