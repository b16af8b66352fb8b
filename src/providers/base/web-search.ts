import { isArray, type JsonObject, objectOf } from '../../codec/json-value.ts';
import type { NativeTool } from '../../inference/request.ts';

/** A tool that searches the web at the provider, whoever's words it was asked in. Undefined: nothing is said. */
export interface WebSearch {
  readonly maxUses: unknown;
  readonly allowedDomains: readonly unknown[] | undefined;
  readonly blockedDomains: readonly unknown[] | undefined;
  /** `{type: 'approximate', city, region, country, timezone}`: OpenAI and Anthropic write it alike. */
  readonly userLocation: JsonObject | undefined;
  readonly contextSize: unknown;
}

/** `web_search_20250305` of Anthropic; `web_search`, `web_search_preview` and both with a date of OpenAI; `google_search`. */
const WEB_SEARCH = /^(web_search(_preview)?(_\d{4}_?\d{2}_?\d{2})?|google_?search)$/i;

/** Undefined: it is another tool. */
export function webSearchOf({ type, definition }: NativeTool): WebSearch | undefined {
  if (!WEB_SEARCH.test(type)) return undefined;
  const tool = objectOf(definition) ?? {};
  const filters = objectOf(tool['filters']);
  return {
    maxUses: tool['max_uses'],
    allowedDomains: listOf(filters?.['allowed_domains'] ?? tool['allowed_domains']),
    blockedDomains: listOf(filters?.['blocked_domains'] ?? tool['blocked_domains']),
    userLocation: objectOf(tool['user_location']),
    contextSize: tool['search_context_size'],
  };
}

/** The bound of a search that only some vendors keep: without it the answer would rest on what the client ruled out. */
export function boundOf({ allowedDomains, blockedDomains }: WebSearch): string | undefined {
  if (allowedDomains) return 'allowed_domains';
  return blockedDomains && 'blocked_domains';
}

function listOf(value: unknown): readonly unknown[] | undefined {
  return isArray(value) && value.length > 0 ? value : undefined;
}
