/** Times are milliseconds since the Unix epoch. */
export interface RequestLogTables {
  request_bodies: RequestBodiesTable;
}

/** What is kept of one exchange's bodies; who, what and when stands in the ledger. */
export interface RequestBodiesTable {
  /** Of the exchange. */
  id: string;
  /** Who asked: what is erased of somebody is found by it. */
  subject: string | null;
  /** Name of the tracing project. */
  project: string | null;
  expires_at: number;
  /** JSON of KeptBodies (store/request-bodies.ts), deflated (RFC 1951). */
  data: Uint8Array;
}
