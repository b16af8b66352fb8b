import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/**
 * Recorded traffic of real providers, and the reference product's API document. They are not ours to publish, so they
 * stand in a folder beside the repository, which no other file names; where it is absent, tests that need it skip.
 */
const folder = resolve(import.meta.dirname, '../../../shared');
const recordingsFolder = join(folder, 'cassettes');

/** The reference product's OpenAPI document, in YAML. */
export const referenceDocument = join(folder, 'spec/ai-gateway.openapi.yaml');
/** The value of `test(…, {skip})` where the reference document is missing. */
export const noReferenceDocument: string | false = existsSync(referenceDocument)
  ? false
  : 'the reference document is not there';

/** AWS's own suite of signed requests, by the names of its cases and of their files. */
export function awsSignatures(): Record<string, Record<string, string>> {
  const file = join(folder, 'vectors/sigv4.json');
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).cases : {};
}

/** One recorded provider interaction. */
export interface Recording {
  provider: string;
  name: string;
  kind: 'json' | 'sse' | 'awses' | 'ndjson' | 'bin';
  request: { method: string; path: string; query?: string; body?: string; body_base64?: string };
  response: { status: number; body?: string; body_base64?: string };
}

/** The value of `test(…, {skip})` where the recordings are missing. */
export const noRecordings: string | false = existsSync(recordingsFolder) ? false : 'the recordings are not there';

export function recordings(provider: string): Recording[] {
  if (noRecordings) return [];
  return readFileSync(join(recordingsFolder, `${provider}.jsonl`), 'utf8')
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
