/**
 * Betas that a cloud which serves Claude knows, beginning with these words; a date follows. What it does not know it refuses
 * with 400, and clients send all that Anthropic itself knows. https://platform.claude.com/docs/en/api/beta-headers
 */
export interface KnownBetas {
  readonly names: readonly string[];
  /** Betas that it has under another name. */
  readonly renamed: Readonly<Record<string, readonly string[]>>;
}

/** https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages-request-response.html */
export const BEDROCK_BETAS: KnownBetas = {
  names: [
    'compact-',
    'computer-use-',
    'context-1m-',
    'context-management-',
    'dev-full-thinking-',
    'effort-',
    'fine-grained-tool-streaming-',
    'interleaved-thinking-',
    'output-128k-',
    'token-efficient-tools-',
    'tool-examples-',
    'tool-search-tool-',
  ],
  renamed: { 'advanced-tool-use-2025-11-20': ['tool-search-tool-2025-10-19', 'tool-examples-2025-10-29'] },
};

/** https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai */
export const VERTEX_BETAS: KnownBetas = {
  names: [
    'compact-',
    'computer-use-',
    'context-1m-',
    'context-management-',
    'fine-grained-tool-streaming-',
    'interleaved-thinking-',
    'tool-search-tool-',
    'web-search-',
  ],
  renamed: { 'advanced-tool-use-2025-11-20': ['tool-search-tool-2025-10-19'] },
};

/** Those of a header `anthropic-beta` that are known, each once, in their order. */
export function knownBetas(header: string | undefined, { names, renamed }: KnownBetas): readonly string[] {
  if (header === undefined) return [];
  const asked = header.split(',').flatMap((beta) => renamed[beta.trim()] ?? [beta.trim()]);
  return [...new Set(asked)].filter((beta) => names.some((name) => beta.startsWith(name)));
}
