import { isArray, parseObject } from '../../codec/json-value.ts';
import { accountBase, apiKeyAuth, integrationBase, integrationList } from '../../config/account-schema.ts';
import { baseUrl, keyWithDefault } from '../../config/scalar-schema.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { EmbeddingRequest } from '../../inference/embedding.ts';
import type { InferenceEvent } from '../../inference/event.ts';
import { openAccount } from '../base/account.ts';
import { headerCredential } from '../base/credential.ts';
import { jsonBody } from '../base/json-body.ts';
import { listedModels } from '../base/listed-models.ts';
import { mountAt } from '../base/mount.ts';
import { providerError } from '../base/provider-error.ts';
import { readProviderFault } from '../base/provider-fault.ts';
import { keyVariable } from '../base/speech.ts';
import { toUsage } from '../openai-compatible/to-usage.ts';
import type { MadeRequest, ProviderPlug, Wire } from '../provider.ts';

const type = 'provider-account/nomic';
/** https://docs.nomic.ai/reference/api/embed-text-v-1-embedding-text-post: the older words are those of Cohere. */
const TASK_TYPES: ReadonlyMap<string, string> = new Map([
  ['query', 'search_query'],
  ['document', 'search_document'],
  ['classification', 'classification'],
  ['clustering', 'clustering'],
]);
const MAX_INPUTS = 400;

const embeddings: Wire = {
  name: 'nomic-embedding-text',
  operation: 'embedding',
  framing: 'none',
  method: 'POST',
  contentType: 'application/json',
  forwards: [],
  path: () => '/embedding/text',
  toUsage,
  toError: (status, body, target) => providerError(status, readProviderFault(body), target),
  translation: { maxInputs: () => MAX_INPUTS, toRequest, fromResponse },
};

function toRequest({ model, inputs, inputType, dimensions, extra }: EmbeddingRequest): OrError<MadeRequest> {
  const texts = inputs.filter((input) => typeof input === 'string');
  if (texts.length < inputs.length) {
    return new GatewayError('unsupported_parameter', { param: 'input', detail: 'Nomic takes texts, no tokens.' });
  }
  const task = inputType === undefined ? undefined : TASK_TYPES.get(inputType);
  if (inputType !== undefined && task === undefined) {
    const detail = `Nomic knows ${[...TASK_TYPES.values()].join(', ')}, not \`${inputType}\`.`;
    return new GatewayError('unsupported_parameter', { param: 'input_type', detail });
  }
  return { body: jsonBody({ model, texts, task_type: task, dimensionality: dimensions, ...extra }), headers: [] };
}

function fromResponse(body: Buffer): OrError<InferenceEvent[]> {
  const answer = parseObject(body.toString('utf8'));
  const vectors = answer?.['embeddings'];
  if (!isArray(vectors)) return new GatewayError('upstream_protocol', { detail: 'Its answer has no vectors.' });
  const events: InferenceEvent[] = [];
  for (const [index, vector] of vectors.entries()) {
    if (!isArray(vector) || !vector.every((value) => typeof value === 'number')) {
      return new GatewayError('upstream_protocol', { detail: `Its vector ${index} is no list of numbers.` });
    }
    events.push({ type: 'embedding', index, vector });
  }
  const usage = toUsage(answer?.['usage'], answer ?? {});
  if (usage) events.push({ type: 'usage', usage });
  return events;
}

const schema = accountBase(type).extend({
  auth_data: apiKeyAuth,
  // Ours, not of the reference manifests: for proxies.
  base_url: keyWithDefault(baseUrl(), 'https://api-atlas.nomic.ai/v1'),
  integrations: integrationList(integrationBase('integration/model/nomic')),
});

/** Embeddings, and nothing else. */
export const plug: ProviderPlug = {
  type,
  schema,
  wellKnown: keyVariable(type, 'nomic', 'NOMIC_API_KEY'),
  wires: [embeddings],
  open(checked) {
    const manifest = schema.parse(checked);
    const credential = headerCredential(['authorization', `Bearer ${manifest.auth_data.api_key}`]);
    return openAccount({
      manifest,
      catalogueId: undefined,
      exampleModel: 'nomic-embed-text-v1.5',
      abilities: { usageInStream: false, developerRole: false },
      mounts: [mountAt({ wire: embeddings, url: manifest.base_url, credential, account: manifest })],
      listed: listedModels(manifest.integrations),
    });
  },
};
