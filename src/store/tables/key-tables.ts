export interface KeyTables {
  api_keys: ApiKeysTable;
  signing_keys: SigningKeysTable;
  key_version: KeyVersionTable;
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
  /** May lie ahead: a key that was rotated works until then. */
  revoked_at: string | null;
  /** `jwt` or `opaque`. */
  token_type: string;
  /** Hex SHA-256 of an opaque key; null for a JWT, of which nothing is kept. */
  token_hash: string | null;
  /** The key that took the place of one that was rotated. */
  replaced_by: string | null;
  /** `key_version.n` when the row was last written. */
  version: number;
}

/** The public halves of the keys that gateways on this database sign with. */
export interface SigningKeysTable {
  kid: string;
  public_key_pem: string;
  /** Its id, by which a gateway that lost its key replaces it. */
  gateway: string;
  created_at: string;
  /** When its gateway, or a command in its data folder, last said that it is there. */
  seen_at: string;
  /** When another took its place by rotation; null: it signs. */
  retired_at: string | null;
  /** The instant from which no token of a rotated key is accepted; null: each works until its own end. */
  valid_until: string | null;
}

/** One row: how many times the tables above were written. */
export interface KeyVersionTable {
  id: number;
  n: number;
}
