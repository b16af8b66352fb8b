export interface FileTables {
  files: FilesTable;
}

/** A file of a caller. Its bytes are a blob of the same id. Times are milliseconds since the Unix epoch. */
export interface FilesTable {
  id: string;
  /** Its owner: a subject, or `team:NAME`. */
  owner: string;
  /** The subject that uploaded it. */
  created_by: string;
  filename: string;
  purpose: string;
  bytes: number;
  /** Hex. */
  sha256: string;
  created_at: number;
  /** From then on it does not exist; null: it stays. */
  expires_at: number | null;
}
