/**
 * What a model id of Vertex means: who published the model, and by which form it is asked. Ids are written in many ways:
 * `gemini-2.5-flash`, `google/gemini-2.5-flash`, `publishers/google/models/gemini-2.5-flash`, and resource names with that
 * at their end.
 */
export interface PublishedModel {
  readonly form: 'gemini' | 'claude' | 'mistral' | 'openai';
  /** As path or body want it: of the OpenAI form with its publisher. */
  readonly modelId: string;
}

const RESOURCE = /(?:^|\/)publishers\/([^/]+)\/models\/([^/]+)$/;
const QUALIFIED = /^([a-z0-9-]+)\/([^/]+)$/;
const MISTRAL = /^(?:(?:open-)?mistral|mixtral|ministral|codestral|magistral|pixtral|devstral)/;
/** A tuned model is asked where it is deployed; its id is a number. */
const ENDPOINT = /^(?:endpoints\/)?(\d+)$/;

/** https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference, and its pages on partner models. */
export function publishedModel(modelId: string): PublishedModel {
  const [, endpoint] = ENDPOINT.exec(modelId) ?? [];
  if (endpoint !== undefined) return { form: 'gemini', modelId: `endpoints/${endpoint}` };
  const [, publisher = publisherOf(modelId), model = modelId] = RESOURCE.exec(modelId) ?? QUALIFIED.exec(modelId) ?? [];
  if (publisher === 'anthropic') return { form: 'claude', modelId: model };
  if (publisher === 'mistralai') return { form: 'mistral', modelId: model };
  // Open models as a service, Google's own among them, are behind one endpoint in OpenAI's form.
  if (publisher === 'google' && !model.endsWith('-maas')) return { form: 'gemini', modelId: model };
  return { form: 'openai', modelId: `${publisher}/${model}` };
}

/** An id within a path. Dated ids hold an `@`, which stands there as it is. */
export function pathId(modelId: string): string {
  return encodeURIComponent(modelId).replaceAll('%40', '@');
}

function publisherOf(model: string): string {
  if (model.startsWith('claude')) return 'anthropic';
  if (model.endsWith('-maas')) {
    const [, family = ''] = /^([a-z]+)/.exec(model) ?? [];
    return PUBLISHER_OF_FAMILY.get(family) ?? 'google';
  }
  return MISTRAL.test(model) ? 'mistralai' : 'google';
}

const PUBLISHER_OF_FAMILY: ReadonlyMap<string, string> = new Map([
  ['llama', 'meta'],
  ['deepseek', 'deepseek-ai'],
  ['qwen', 'qwen'],
  ['gpt', 'openai'],
  ['kimi', 'moonshotai'],
  ['minimax', 'minimaxai'],
  ['glm', 'zai-org'],
]);
