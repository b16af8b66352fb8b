import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Usage } from '../../src/inference/usage.ts';
import { type Recording, recordings } from '../support/recordings.ts';

/** Those whose chat completions are OpenAI's: there is nothing to translate. */
export const chatProviders = [
  'openai',
  'deepseek',
  'gpustack',
  'mistral',
  'openrouter',
  'perplexity',
  'ollama',
  'azure',
] as const;

export interface RecordedChat {
  readonly label: string;
  readonly provider: string;
  readonly kind: 'json' | 'sse';
  readonly status: number;
  readonly answer: Buffer;
  /** The request body as it was sent; undefined where the recording holds only a part of it. */
  readonly request: string | undefined;
}

export function recordedChats(provider: string): RecordedChat[] {
  return recordings(provider)
    .filter(({ request, kind }) => request.path.endsWith('/chat/completions') && (kind === 'json' || kind === 'sse'))
    .map((recording) => ({
      label: `${provider}: ${recording.name}`,
      provider,
      kind: recording.kind === 'sse' ? 'sse' : 'json',
      status: recording.response.status,
      answer: Buffer.from(recording.response.body ?? ''),
      request: wholeRequest(recording),
    }));
}

const fixtureFolder = join(import.meta.dirname, '../fixtures/recorded-chat');

/** The same shapes in small, for where the recordings are not. */
export function fixtureChats(): RecordedChat[] {
  return readdirSync(fixtureFolder).map((file) => ({
    label: `fixture: ${file}`,
    provider: 'fixture',
    kind: file.endsWith('.sse') ? 'sse' : 'json',
    status: 200,
    answer: readFileSync(join(fixtureFolder, file)),
    request: undefined,
  }));
}

/** Long bodies were cut by those who recorded them. */
function wholeRequest(recording: Recording): string | undefined {
  const { body } = recording.request;
  try {
    JSON.parse(body ?? '');
    return body;
  } catch {
    // Not whole: a request of our own takes its place.
    return undefined;
  }
}

/** The JSON of every event, read without any code of ours. */
export function eventsOf(answer: Buffer): Record<string, unknown>[] {
  return answer
    .toString()
    .split(/\r?\n/)
    .filter((line) => line.startsWith('data: {'))
    .map((line) => JSON.parse(line.slice(6)));
}

/** What the answer says was used: counter by counter the last that was said. */
export function usageIn({ kind, answer }: RecordedChat): Usage {
  const bodies = kind === 'sse' ? eventsOf(answer) : [JSON.parse(answer.toString())];
  const usage: Usage = {};
  for (const { usage: said } of bodies) {
    if (said) Object.assign(usage, defined(neutral(said as WireUsage)));
  }
  return usage;
}

interface WireUsage {
  prompt_tokens?: number;
  completion_tokens?: number;
  total_tokens?: number;
  prompt_tokens_details?: Record<string, number | undefined> | null;
  completion_tokens_details?: Record<string, number | undefined> | null;
  prompt_cache_hit_tokens?: number;
  prompt_audio_seconds?: number | null;
  server_tool_use_details?: { web_search_requests?: number };
  num_sources_used?: number;
  cost?: number | { total_cost?: number };
  cost_in_usd_ticks?: number;
}

function neutral(said: WireUsage): Usage {
  const prompt = said.prompt_tokens_details ?? {};
  const completion = said.completion_tokens_details ?? {};
  const sum = (said.prompt_tokens ?? 0) + (said.completion_tokens ?? 0);
  const unsaid = (said.total_tokens ?? sum) - sum;
  return {
    // Mistral counts audio, xAI reasoning in the total alone.
    inputTokens: unsaid > 0 && unsaid === prompt['audio_tokens'] ? said.prompt_tokens! + unsaid : said.prompt_tokens,
    outputTokens:
      unsaid > 0 && unsaid === completion['reasoning_tokens']
        ? said.completion_tokens! + unsaid
        : said.completion_tokens,
    cacheReadInputTokens: prompt['cached_tokens'] ?? said.prompt_cache_hit_tokens,
    cacheCreationInputTokens: prompt['cache_write_tokens'] ?? prompt['cache_creation_tokens'],
    reasoningOutputTokens: completion['reasoning_tokens'],
    audioInputTokens: prompt['audio_tokens'],
    audioOutputTokens: completion['audio_tokens'],
    rare: counted({
      imageInputTokens: prompt['image_tokens'],
      imageOutputTokens: completion['image_tokens'],
      videoInputTokens: prompt['video_tokens'],
      audioInputMs: said.prompt_audio_seconds ? said.prompt_audio_seconds * 1000 : undefined,
      webSearchRequests: said.server_tool_use_details?.web_search_requests,
      searchSources: said.num_sources_used,
    }),
    providerCostUsd: billed(said),
  };
}

/** xAI's ticks are ten-thousand-millionths of a dollar. */
function billed({ cost, cost_in_usd_ticks: ticks }: WireUsage): number | undefined {
  if (typeof cost === 'object') return cost?.total_cost;
  return cost ?? (ticks === undefined ? undefined : ticks / 1e10);
}

/** Nothing, where all of them are zero. */
function counted(rare: Record<string, number | undefined>): Usage['rare'] {
  const told = Object.entries(rare).filter(([, count]) => count);
  return told.length > 0 ? Object.fromEntries(told) : undefined;
}

function defined(usage: Usage): Usage {
  return Object.fromEntries(Object.entries(usage).filter(([, count]) => count !== undefined && count !== null));
}

/** Events with the empty line that ends each, in the bytes they were written in. */
export function splitEvents(answer: Buffer): Buffer[] {
  return answer
    .toString('latin1')
    .split(/(?<=\r\n\r\n|\n\n)/)
    .map((event) => Buffer.from(event, 'latin1'));
}

/** Only the event that asking for usage causes: empty choices, and a usage. */
export function withoutUsageEvent(answer: Buffer): Buffer {
  const kept = splitEvents(answer).filter((event) => {
    const json = /^data: (\{.*\})$/m.exec(event.toString())?.[1];
    if (json === undefined) return true;
    const { choices, usage } = JSON.parse(json);
    return !(Array.isArray(choices) && choices.length === 0 && usage);
  });
  return Buffer.concat(kept);
}

/** A longer stream is cut everywhere in a shorter one made of its own events: all cuts of 150 KB are 23 GB of work. */
const CUT_EVERYWHERE_BYTES = 3_000;

/** Each of its events that has a length of its own, the first and the last four in any case. */
export function shortened(chat: RecordedChat): RecordedChat {
  if (chat.answer.length <= CUT_EVERYWHERE_BYTES) return chat;
  const events = splitEvents(chat.answer);
  const lengths = new Set<number>();
  let bytes = 0;
  const kept = events.filter((event, index) => {
    const isEdge = index < 2 || index >= events.length - 4;
    if (!isEdge && (lengths.has(event.length) || bytes > CUT_EVERYWHERE_BYTES)) return false;
    lengths.add(event.length);
    bytes += event.length;
    return true;
  });
  return { ...chat, answer: Buffer.concat(kept) };
}
