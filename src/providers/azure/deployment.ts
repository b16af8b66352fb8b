interface Deployment {
  readonly name: string;
  readonly model_id: string;
  readonly foundation_model?: string | undefined;
}

/** Families of models that Azure deploys, as their names tell them. */
export const TELLING_NAME =
  /gpt-?[345o]|gpt-(oss|image|audio|realtime|chat)|(^|[^a-z])o[134](-|$)|chatgpt|codex|computer-use|model-router|davinci|babbage|embedding|whisper|tts|transcribe|dall-?e|sora|claude|llama|mi[sx]tral|ministral|codestral|pixtral|cohere|command|rerank|embed-|deepseek|grok|phi-?\d|kimi|qwen|flux|jamba|jais|nemotron/i;

/** The deployed model, where the name of the deployment does not say it: as the manifest tells, or by the model's name there. */
export function deployedModel({ name, model_id: deployment, foundation_model: told }: Deployment): string | undefined {
  if (told !== undefined || TELLING_NAME.test(deployment)) return told;
  return TELLING_NAME.test(name) ? name : undefined;
}
