export interface AuditTables {
  audit_entries: AuditEntriesTable;
  audit_chains: AuditChainsTable;
}

export interface AuditEntriesTable {
  gateway: string;
  /** In the chain of its gateway, from 1. */
  seq: number;
  /** In the order of time as text. */
  id: string;
  /** Milliseconds since the Unix epoch. */
  at: number;
  /** JSON of AuditEntry (store/audit.ts). */
  entry: string;
  /** Made of that of the entry before and of all that stands here. */
  hash: string;
}

export interface AuditChainsTable {
  gateway: string;
  head_seq: number;
  head_hash: string;
  /** The newest entry that retention took away, from which verify begins; 0 and empty: none was. */
  anchor_seq: number;
  anchor_hash: string;
}
