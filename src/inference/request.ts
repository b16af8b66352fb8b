/**
 * The neutral chat request, used only when dialect and wire differ. A dialect's parser makes it, a provider's
 * `toRequest` reads it. Names are ours; what neither side of a translation knows is kept in `extra` under the
 * client's own key, so that a provider can pass it on, drop it as harmless, or refuse it by name.
 */

export interface InferenceRequest {
  /** The provider's model id, not the client's. */
  model: string;
  messages: Message[];
  stream: boolean;
  /** The client asked for a usage chunk at the end of its stream. */
  includeUsage: boolean;
  tools?: Tool[];
  /** Tools that are no functions, as the client wrote them: a provider runs its own kinds, or refuses them by type. */
  nativeTools?: NativeTool[];
  toolChoice?: ToolChoice;
  parallelToolCalls?: boolean;
  maxOutputTokens?: number;
  temperature?: number;
  topP?: number;
  topK?: number;
  stop?: string[];
  /** End-user identifier. */
  user?: string;
  reasoning?: { effort?: string; budgetTokens?: number; enabled?: boolean };
  responseFormat?:
    | { type: 'text' }
    | { type: 'json' }
    | { type: 'json-schema'; name: string; schema: unknown; strict?: boolean };
  /** Everything else the client sent at the top level, by its own key. */
  extra: Record<string, unknown>;
}

export type Role = 'system' | 'developer' | 'user' | 'assistant' | 'tool';

export interface Message {
  role: Role;
  parts: Part[];
  name?: string;
}

/** `cacheControl` on any part is a provider's cache marker, passed on as it is (Anthropic's `cache_control`). */
export type Part = (
  | { type: 'text'; text: string }
  | { type: 'image'; source: { url: string } | { base64: string; mediaType: string }; detail?: string }
  | { type: 'audio'; base64: string; format: string }
  | { type: 'file'; base64?: string; url?: string; fileId?: string; mediaType?: string; filename?: string }
  /** `signature` as inference/signature.ts marks it. */
  | { type: 'reasoning'; text: string; signature?: string }
  | { type: 'redacted-reasoning'; data: string }
  | { type: 'refusal'; text: string }
  | { type: 'tool-call'; id: string; name: string; argumentsText: string; signature?: string }
  | { type: 'tool-result'; toolCallId: string; parts: Part[]; isError?: boolean }
) & { cacheControl?: unknown };

export interface Tool {
  name: string;
  description?: string;
  /** JSON Schema of the arguments. */
  parameters?: unknown;
  strict?: boolean;
  cacheControl?: unknown;
  /** Everything else that the client said of this tool, by its own key. */
  extra: Record<string, unknown>;
}

export interface NativeTool {
  type: string;
  /** Where it stands in the request (`tools[2]`), for an error. */
  place: string;
  /** The tool as the client wrote it, `type` included. */
  definition: unknown;
}

export type ToolChoice = { type: 'auto' } | { type: 'none' } | { type: 'required' } | { type: 'tool'; name: string };
