export interface BatchTables {
  batches: BatchesTable;
  batch_pieces: BatchPiecesTable;
  batch_result_blocks: BatchResultBlocksTable;
  provider_batches: ProviderBatchesTable;
}

/** Times are milliseconds since the Unix epoch. */
export interface BatchesTable {
  id: string;
  /** Its owner: a subject, or `team:NAME`. */
  owner: string;
  created_by: string;
  /** JSON of whom its lines are run for. */
  principal: string;
  /** Id of the gateway on whose disk the files are; empty: every gateway reads them. */
  place: string;
  endpoint: string;
  input_file_id: string;
  /** As it was asked for. */
  completion_window: string;
  /** JSON. */
  metadata: string | null;
  /** Milliseconds that its files stay; null: they stay. */
  output_expires_after: number | null;
  status: string;
  /** What it is when its files are made; null: completed. */
  ends_as: string | null;
  created_at: number;
  expires_at: number;
  in_progress_at: number | null;
  cancelling_at: number | null;
  finalizing_at: number | null;
  /** It completed, failed, expired or was cancelled. */
  ended_at: number | null;
  total: number;
  completed: number;
  failed: number;
  output_file_id: string | null;
  error_file_id: string | null;
  /** JSON: why it failed. */
  faults: string | null;
  /** Which gateway checks its lines or makes its files, and until when nobody else may. */
  kept_by: string | null;
  kept_until: number;
}

/** Lines [first_line, first_line + lines) of the input, which are its bytes [from_byte, to_byte). */
export interface BatchPiecesTable {
  batch_id: string;
  piece: number;
  first_line: number;
  lines: number;
  from_byte: number;
  to_byte: number;
  /** 1: each line has its result. */
  done: number;
  /** The thread of a gateway that runs it, and until when nobody else may. */
  kept_by: string | null;
  kept_until: number;
  /** Which lines have their results, one bit each, from the lowest of each byte on; null: none. */
  answered: Uint8Array | null;
}

/** Results that were told together, all of one piece; each line is in one block alone. */
export interface BatchResultBlocksTable {
  batch_id: string;
  /** The lowest of its lines, from 0. */
  line: number;
  /** JSON: as `ResultBlock.index`. */
  result_index: string;
  /** As `ResultBlock.bytes`. */
  results: Uint8Array;
}

/** Batches that providers run. */
export interface ProviderBatchesTable {
  account: string;
  /** The provider's own. */
  id: string;
  /** As they were asked for; empty: not by way of the gateway. */
  endpoint: string;
  input_file_id: string;
  completion_window: string;
  /** JSON. */
  metadata: string | null;
  /** Until when nobody else may charge it. */
  charging_until: number;
  /** Its costs stand in the ledger since. */
  charged_at: number | null;
}
