export interface KeyTables {
  api_keys: ApiKeysTable;
}

/** Times are ISO 8601 in UTC with milliseconds: the order of the text is the order of time. */
export interface ApiKeysTable {
  id: string;
  name: string | null;
  subject: string;
  /** JSON array of names. */
  teams: string;
  /** JSON array of patterns; null: all models. */
  models: string | null;
  /** JSON object, text to text. */
  metadata: string;
  created_at: string;
  expires_at: string | null;
  revoked_at: string | null;
}
