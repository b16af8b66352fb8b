/** `pause`: the model has more to say and goes on when the conversation is sent back. */
export type UnifiedFinishReason = 'stop' | 'length' | 'content-filter' | 'tool-calls' | 'pause' | 'error' | 'other';

/** Why a model stopped: the neutral word, and the provider's own as it was. */
export interface FinishReason {
  unified: UnifiedFinishReason;
  raw: string | undefined;
}
