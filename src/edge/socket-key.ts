/** How OpenAI's clients in browsers, which cannot set headers, send their key: as a subprotocol beside `realtime`. */
const KEY_PROTOCOL = 'openai-insecure-api-key.';

/** The subprotocols of `sec-websocket-protocol` (RFC 6455 §4.1), and the key that stood among them. */
export function offeredProtocols(header: string): { key: string | undefined; protocols: readonly string[] } {
  if (header === '') return NONE;
  const offered = header.split(',').map((each) => each.trim());
  const key = offered.find((each) => each.startsWith(KEY_PROTOCOL))?.slice(KEY_PROTOCOL.length);
  // Some clients name their organization or project in the same way; neither is for the provider.
  return { key: key || undefined, protocols: offered.filter((each) => each !== '' && !each.startsWith('openai-')) };
}

const NONE = { key: undefined, protocols: [] as readonly string[] };

/** The key of a socket's address, as Google's clients write it: `?key=…`. */
export function queryKey(query: string): string | undefined {
  const [, value] = /(?:^|&)key=([^&]+)/.exec(query) ?? [];
  if (value === undefined) return undefined;
  try {
    return decodeURIComponent(value);
  } catch {
    return undefined;
  }
}
