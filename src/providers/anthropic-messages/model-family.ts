/**
 * What a Claude model accepts, read from its name: families differ in their limits and in parameters that others
 * refuse with 400. Names with a version we do not know are taken for the newest of their family; names that are not
 * Claude's (others who speak this API) for the oldest common ground.
 * https://platform.claude.com/docs/en/about-claude/models/overview
 */
export interface ModelFamily {
  /** Anthropic demands max_tokens; where the client set none it gets all the model can write. */
  maxOutputTokens: number;
  /** `budget`: thinking.type enabled with budget_tokens. `adaptive`: thinking.type adaptive with output_config.effort. */
  thinking: 'none' | 'budget' | 'adaptive';
  /** Newer adaptive models hide their thinking unless asked for a summary. */
  hidesThinking: boolean;
  /** How to ask for no thinking: newer models think unasked, and some cannot be told to stop. */
  thinkingOff: 'omit' | 'disabled' | 'between_tools' | 'lowest-effort';
  /** The two highest efforts have other names before 4.7. */
  hasExtraHighEffort: boolean;
  /** temperature, top_p, top_k: all; temperature or top_p; none at all. */
  sampling: 'all' | 'one' | 'none';
  /** output_config.format and strict tools. */
  structuredOutputs: boolean;
  /** Whether a request may demand a call. `bedrock-unthinking`: Bedrock takes the demand only where nothing asks for thinking. */
  forcedTools: 'always' | 'bedrock-unthinking' | 'never';
  /** Takes messages of the role `system` behind those of the user. */
  systemInMessages: boolean;
}

const NOT_CLAUDE: ModelFamily = {
  maxOutputTokens: 8192,
  thinking: 'budget',
  hidesThinking: false,
  thinkingOff: 'omit',
  hasExtraHighEffort: false,
  sampling: 'all',
  structuredOutputs: true,
  forcedTools: 'always',
  systemInMessages: false,
};

// claude-3-5-sonnet-20241022 (version first, until 3.7) and claude-opus-4-5-20251101 (family first, since 4).
const VERSION_FIRST = /claude-(\d)(?:[.-](\d))?-([a-z]+)/;
const FAMILY_FIRST = /claude-([a-z]+)(?:-(\d{1,2})(?![\d])(?:[.-](\d{1,2})(?![\d]))?)?/;
const NEWEST = 99;

export function modelFamily(modelId: string): ModelFamily {
  const name = modelId.toLowerCase();
  if (!name.includes('claude')) return NOT_CLAUDE;
  const old = VERSION_FIRST.exec(name);
  if (old) return claude(old[3] ?? '', Number(old[1]), Number(old[2] ?? 0));
  const match = FAMILY_FIRST.exec(name);
  if (match?.[1] === undefined || match[1] === 'instant') return claude('', 2, 0);
  return claude(match[1], match[2] === undefined ? NEWEST : Number(match[2]), Number(match[3] ?? 0));
}

function claude(family: string, major: number, minor: number): ModelFamily {
  const version = major * 100 + minor;
  return {
    maxOutputTokens: maxOutputTokens(family, version),
    thinking: version < 307 ? 'none' : version < 406 ? 'budget' : 'adaptive',
    hidesThinking: version >= 407,
    thinkingOff: thinkingOff(family, version),
    hasExtraHighEffort: version >= 407,
    sampling: version < 401 ? 'all' : version < 407 ? 'one' : 'none',
    structuredOutputs: version >= 405 || (family === 'opus' && version === 401),
    forcedTools: forcedTools(family, version),
    systemInMessages: systemInMessages(family, version),
  };
}

/** A name without a version is asked: its provider says it where it refuses. */
function forcedTools(family: string, version: number): ModelFamily['forcedTools'] {
  if (version < 408) return 'bedrock-unthinking';
  if (version >= NEWEST * 100 || family === 'haiku') return 'always';
  return version >= (family === 'fable' || family === 'mythos' ? 501 : 505) ? 'never' : 'always';
}

/** https://platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages */
function systemInMessages(family: string, version: number): boolean {
  if (version >= NEWEST * 100) return false;
  if (family === 'opus') return version >= 408;
  return version >= (family === 'fable' || family === 'mythos' ? 500 : 505);
}

function maxOutputTokens(family: string, version: number): number {
  if (version < 305) return 4096;
  if (version < 307) return 8192;
  if (family === 'opus' && version < 405) return 32_000;
  if (version < (family === 'haiku' ? 505 : 406)) return 64_000;
  return 128_000;
}

function thinkingOff(family: string, version: number): ModelFamily['thinkingOff'] {
  if (family === 'fable' || family === 'mythos') return 'lowest-effort';
  if (version < 500) return 'omit';
  if (version < 505 || family === 'haiku') return 'disabled';
  return family === 'sonnet' ? 'between_tools' : 'lowest-effort';
}
