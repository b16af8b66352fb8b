import type { InferenceRequest, Part } from './request.ts';

/** A marker of prompt caching, in Anthropic's words; without a `ttl` the provider's default holds (five minutes). */
export interface CacheMarker {
  readonly type: 'ephemeral';
  readonly ttl?: '5m' | '1h';
}

/**
 * Marks the ends of what comes again with the next request: of the tools, of the last system message, of the conversation.
 * These are three of the four markers that providers take. A client that set one of its own knows better: then none is added.
 */
export function withCacheMarkers(request: InferenceRequest, marker: CacheMarker): InferenceRequest {
  const { tools = [], messages } = request;
  const isMarked =
    tools.some(({ cacheControl }) => cacheControl !== undefined) ||
    messages.some(({ parts }) => parts.some(({ cacheControl }) => cacheControl !== undefined));
  if (isMarked) return request;
  const tool = tools.at(-1);
  if (tool) tool.cacheControl = marker;
  const isSystem = (role: string) => role === 'system' || role === 'developer';
  mark(messages.findLast(({ role }) => isSystem(role))?.parts, marker);
  mark(messages.findLast(({ role, parts }) => !isSystem(role) && parts.some(canBeMarked))?.parts, marker);
  return request;
}

/** The same request with each marker as a provider takes it; undefined: it takes none. */
export function changedMarkers(request: InferenceRequest, change: (marker: unknown) => unknown): InferenceRequest {
  const changed = <T extends { cacheControl?: unknown }>(each: T): T =>
    each.cacheControl === undefined ? each : { ...each, cacheControl: change(each.cacheControl) };
  const changedPart = (part: Part): Part => {
    const made = changed(part);
    return made.type === 'tool-result' ? { ...made, parts: made.parts.map(changedPart) } : made;
  };
  return {
    ...request,
    tools: request.tools?.map(changed),
    messages: request.messages.map((message) => ({ ...message, parts: message.parts.map(changedPart) })),
  };
}

function mark(parts: readonly Part[] | undefined, marker: CacheMarker): void {
  const part = parts?.findLast(canBeMarked);
  if (part) part.cacheControl = marker;
}

/** Reasoning and empty texts are refused with a marker. */
function canBeMarked(part: Part): boolean {
  if (part.type === 'reasoning' || part.type === 'redacted-reasoning') return false;
  return part.type !== 'text' || part.text.trim() !== '';
}
