/** What of a request body is turned into tokens: its text, and a count for what has none. */
export interface PromptText {
  text: string;
  /** Tokens that are not in the text: frames of messages, images. */
  extraTokens: number;
  /** How much larger the whole is than what was seen; 1 where all was. */
  scale: number;
}

/** What the first bytes of an answer, streamed or not, say in words. */
export interface AnswerText {
  text: string;
  /** Calls of tools begun in it; their frames are tokens too. */
  toolCalls: number;
  /** Bytes of the answer that this text came in: what one byte is worth. */
  textBytes: number;
  /** Bytes that were not seen and are taken for more of the same. */
  restBytes: number;
}

/**
 * Frames as OpenAI's cookbook counts them: three tokens a message and its role, three for the answer's beginning. An
 * image counts as a square of 1,024 pixels in high detail; audio and files are not counted.
 */
export const MESSAGE_TOKENS = 4;
export const ANSWER_TOKENS = 3;
export const IMAGE_TOKENS = 765;
/** What providers say around the tools they pass on: 40 to 500 tokens in recorded answers; near the lower end. */
export const TOOLS_TOKENS = 50;
/** Frame of one call, beside its name and arguments: 9 to 50 in recorded answers. */
export const TOOL_CALL_TOKENS = 16;
