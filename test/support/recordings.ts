import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** One recorded provider interaction, as the README of the cassettes' folder describes it. */
export interface Recording {
  provider: string;
  name: string;
  kind: 'json' | 'sse' | 'awses' | 'ndjson' | 'bin';
  request: { method: string; path: string; body?: string };
  response: { status: number; body?: string; body_base64?: string };
}

const folder = resolve(import.meta.dirname, '../../../shared/cassettes');

/** For `test(…, {skip})`: the recordings stand beside the project, not in it. */
export const noRecordings: string | false = existsSync(folder) ? false : 'no recordings at ../shared/cassettes';

export function recordings(provider: string): Recording[] {
  if (noRecordings) return [];
  return readFileSync(join(folder, `${provider}.jsonl`), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

export const recordedProviders = [
  'anthropic',
  'azure',
  'bedrock-mantle',
  'cohere',
  'deepseek',
  'gemini',
  'gpustack',
  'mistral',
  'ollama',
  'openai',
  'openrouter',
  'perplexity',
  'vertex',
  'xai',
] as const;
