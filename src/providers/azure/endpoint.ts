import { z } from 'zod';
import { restricting } from '../../config/scalar-schema.ts';
import { anthropicHostedWire } from '../anthropic-messages/wire.ts';
import type { MountSetup } from '../base/mount.ts';
import {
  openAiImageEditsWire,
  openAiImagesWire,
  openAiSpeechWire,
  openAiTranscriptionsWire,
  openAiTranslationsWire,
} from '../openai-compatible/media-wires.ts';
import { hostedOcrWire } from '../openai-compatible/mistral-ocr.ts';
import { openAiRealtimeWire } from '../openai-compatible/realtime-wire.ts';
import {
  cohereRerankWire,
  openAiChatWire,
  openAiCompletionsWire,
  openAiEmbeddingsWire,
  openAiResponsesWire,
  textRerankWire,
} from '../openai-compatible/wire.ts';
import type { Target, Wire, WireRequest } from '../provider.ts';

/**
 * How a resource of Azure is asked. `v1`: OpenAI's own paths behind `/openai/v1`. `deployments`: the older paths, each with
 * the version of a day. `models`: the inference API of Foundry. `claude`: Anthropic's. `host`: a host of one model.
 */
export type AzureForm = 'v1' | 'deployments' | 'models' | 'claude' | 'host';

export interface AzureEndpoint {
  /** Address of the resource, without a slash at its end. */
  readonly base: string;
  readonly host: string;
  /** What the written address itself says; undefined: it names the resource alone. */
  readonly form: AzureForm | undefined;
  readonly apiVersion: string | undefined;
}

/** Behind the address of a resource, as portals and examples show it. */
const TAILS: readonly (readonly [RegExp, AzureForm | undefined])[] = [
  [/\/openai\/deployments\/[^/]+$/, 'deployments'],
  [/\/openai\/v1$/, 'v1'],
  [/\/openai$/, undefined],
  [/\/models$/, 'models'],
  [/\/anthropic(\/v1)?$/, 'claude'],
  [/\/api\/projects\/[^/]+$/, undefined],
  [/\/providers\/mistral\/azure\/ocr$/, undefined],
  [/\/v1$/, 'host'],
];

export function readEndpoint(written: string): AzureEndpoint {
  const { origin, host, pathname, searchParams } = new URL(written);
  const path = pathname.replace(/\/+$/, '').replace(/\/(chat\/completions|messages)$/, '');
  const [tail, form] = TAILS.find(([pattern]) => pattern.test(path)) ?? [undefined, undefined];
  const serverless = host.endsWith('.models.ai.azure.com') ? 'host' : undefined;
  return {
    base: origin + (tail === undefined ? path : path.replace(tail, '')),
    host,
    form: form ?? serverless,
    apiVersion: searchParams.get('api-version') ?? undefined,
  };
}

/** An address as the portal shows it: of the resource, or of a deployment with path and version. */
export function azureEndpoint() {
  const error = 'an https:// address of a resource, as `https://name.openai.azure.com`';
  const address = z
    .string({ error })
    .refine((value) => isEndpoint(value), { error })
    .describe('The address of the resource, with or without the path and version that the portal shows.');
  return restricting(address, ['endpoint', 'base_url']);
}

function isEndpoint(value: string): boolean {
  if (value.length > 2048 || value !== value.trim() || !URL.canParse(value)) return false;
  const { protocol, username, password, hash, searchParams } = new URL(value);
  const onlyVersion = [...searchParams.keys()].every((name) => name === 'api-version');
  return /^https?:$/.test(protocol) && username === '' && password === '' && hash === '' && onlyVersion;
}

/** https://learn.microsoft.com/en-us/azure/ai-foundry/foundry-models/concepts/endpoints */
const MODELS_VERSION = '2024-05-01-preview';
/** The version in the paths that have one: the last that is generally available. */
const DEPLOYMENTS_VERSION = '2024-10-21';

/** Lists what the resource could deploy, for whoever has a credential of it. */
export const azureProbe = { path: `/openai/models?api-version=${DEPLOYMENTS_VERSION}` };

/** All of the mounts of a form but their credential and account. */
export function azurePlaces(
  { base }: AzureEndpoint,
  form: AzureForm,
  apiVersion: string | undefined,
): Pick<MountSetup, 'wire' | 'url' | 'path' | 'headers'>[] {
  const { pathname } = new URL(base);
  const prefix = pathname === '/' ? '' : pathname;
  const version = apiVersion === undefined ? undefined : encodeURIComponent(apiVersion);
  const openAi = (wires: readonly Wire[], before: (modelId: string) => string, query = '') =>
    wires.map((wire) => ({
      wire,
      url: base,
      path: (target: Target, request: WireRequest) =>
        prefix + before(target.modelId) + wire.path(target, request) + query,
    }));
  switch (form) {
    case 'claude':
      return [
        {
          wire: anthropicHostedWire,
          url: base,
          headers: ['anthropic-version', '2023-06-01'],
          path: (target, request) => `${prefix}/anthropic${anthropicHostedWire.path(target, request)}`,
        },
      ];
    case 'deployments':
      return [
        ...openAi(
          DEPLOYED,
          (deployment) => `/openai/deployments/${encodeURIComponent(deployment)}`,
          `?api-version=${version ?? DEPLOYMENTS_VERSION}`,
        ),
        // https://learn.microsoft.com/en-us/azure/ai-foundry/openai/realtime-audio-reference
        ...openAi([openAiRealtimeWire], () => '/openai/v1'),
      ];
    case 'models':
      return openAi(INFERENCE, () => '/models', `?api-version=${version ?? MODELS_VERSION}`);
    case 'host':
      return openAi([...INFERENCE, openAiCompletionsWire, cohereRerankWire, hostedOcrWire], () => '/v1');
    case 'v1':
      // Without a version it is what is generally available.
      return [
        ...openAi(
          [...DEPLOYED, openAiResponsesWire],
          () => '/openai/v1',
          version === 'preview' ? '?api-version=preview' : '',
        ),
        ...openAi([openAiRealtimeWire], () => '/openai/v1'),
        // https://learn.microsoft.com/en-us/azure/ai-foundry/foundry-models/concepts/models-sold-directly-by-azure#cohere
        { wire: textRerankWire, url: base, path: () => `${prefix}/providers/cohere/v2/rerank` },
        { wire: hostedOcrWire, url: base, path: () => `${prefix}/providers/mistral/azure/ocr` },
      ];
  }
}

/** The inference API of Foundry: https://learn.microsoft.com/en-us/rest/api/aifoundry/modelinference/ */
const INFERENCE: readonly Wire[] = [openAiChatWire, openAiEmbeddingsWire];
/** What deployments of OpenAI's models serve: https://learn.microsoft.com/en-us/azure/ai-foundry/openai/reference */
const DEPLOYED: readonly Wire[] = [
  ...INFERENCE,
  openAiCompletionsWire,
  openAiImagesWire,
  openAiImageEditsWire,
  openAiSpeechWire,
  openAiTranscriptionsWire,
  openAiTranslationsWire,
];
/** All its forms but Anthropic's. */
export const AZURE_WIRES: readonly Wire[] = [
  ...DEPLOYED,
  openAiResponsesWire,
  cohereRerankWire,
  textRerankWire,
  hostedOcrWire,
  openAiRealtimeWire,
];
