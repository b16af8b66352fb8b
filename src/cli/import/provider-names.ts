/**
 * What LiteLLM, Portkey and Bifrost call a provider: the kind of its account here, and its host where that kind is
 * `openai-compatible`. Names of hosts that are the same here are not listed again.
 */
export const KINDS: Readonly<Record<string, string>> = {
  openai: 'openai',
  'text-completion-openai': 'openai',
  anthropic: 'anthropic',
  gemini: 'google-gemini',
  google: 'google-gemini',
  vertex_ai: 'google-vertex',
  vertex_ai_beta: 'google-vertex',
  'vertex-ai': 'google-vertex',
  vertex: 'google-vertex',
  bedrock: 'aws-bedrock',
  bedrock_converse: 'aws-bedrock',
  azure: 'azure-openai',
  azure_text: 'azure-openai',
  'azure-openai': 'azure-openai',
  azure_ai: 'azure-foundry',
  'azure-ai': 'azure-foundry',
  ollama: 'ollama',
  ollama_chat: 'ollama',
  cohere: 'cohere',
  cohere_chat: 'cohere',
  groq: 'groq',
  mistral: 'mistral-ai',
  'mistral-ai': 'mistral-ai',
  xai: 'xai',
  'x-ai': 'xai',
  together_ai: 'together-ai',
  'together-ai': 'together-ai',
  perplexity: 'perplexity-ai',
  'perplexity-ai': 'perplexity-ai',
  openrouter: 'openrouter',
  deepinfra: 'deepinfra',
  cerebras: 'cerebras',
  sambanova: 'sambanova',
  ai21: 'ai21',
  ai21_chat: 'ai21',
  baseten: 'baseten',
  elevenlabs: 'elevenlabs',
  deepgram: 'deepgram',
  nomic: 'nomic',
};

export const HOSTS: Readonly<Record<string, string>> = {
  fireworks_ai: 'fireworks',
  'fireworks-ai': 'fireworks',
  nvidia_nim: 'nvidia',
  jina_ai: 'jina',
  zai: 'z-ai',
  lm_studio: 'lmstudio',
  meta_llama: 'meta-llama',
  amazon_nova: 'amazon-nova',
  featherless_ai: 'featherless',
  friendliai: 'friendli',
  github: 'github-models',
  github_models: 'github-models',
  vercel_ai_gateway: 'vercel',
  lambda_ai: 'lambda',
  gmi_cloud: 'gmi',
  docker_model_runner: 'docker-model-runner',
};

/** Servers of one's own: they have no address but the one that is written. */
export const OWN_SERVERS: ReadonlySet<string> = new Set([
  'hosted_vllm',
  'vllm',
  'openai_like',
  'custom_openai',
  'litellm_proxy',
  'llamafile_server',
  'sgl',
]);

/** A model that names no provider: whose it is can be told by its name. */
const BY_MODEL: readonly (readonly [RegExp, string])[] = [
  [/^(?:gpt-|chatgpt-|o\d|text-embedding-|text-moderation|omni-moderation|dall-e|whisper|tts-|codex-)/, 'openai'],
  [/^claude-/, 'anthropic'],
  [/^gemini-/, 'gemini'],
  [/^(?:command|rerank-|embed-)/, 'cohere'],
  [/^(?:mistral|ministral|codestral|magistral|pixtral)-/, 'mistral'],
  [/^deepseek-/, 'deepseek'],
  [/^grok-/, 'xai'],
];

export function providerOfModel(model: string): string | undefined {
  return BY_MODEL.find(([pattern]) => pattern.test(model))?.[1];
}

const TYPES_BY_NAME: readonly (readonly [RegExp, string])[] = [
  [/embed|bge-|e5-/i, 'embedding'],
  [/rerank/i, 'rerank'],
  [/whisper|transcribe/i, 'audio_transcription'],
  [/tts|speech/i, 'text_to_speech'],
  [/dall-e|gpt-image|imagen|stable-diffusion|flux/i, 'image'],
  [/moderation/i, 'moderation'],
  [/realtime/i, 'realtime'],
];

/** What a model is for, where nothing but its name tells. */
export function modelTypeOf(model: string): string {
  return TYPES_BY_NAME.find(([pattern]) => pattern.test(model))?.[1] ?? 'chat';
}
