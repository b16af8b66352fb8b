export type UnifiedFinishReason = 'stop' | 'length' | 'content-filter' | 'tool-calls' | 'error' | 'other';

/** Why a model stopped: the neutral word, and the provider's own as it was. */
export interface FinishReason {
  unified: UnifiedFinishReason;
  raw: string | undefined;
}
