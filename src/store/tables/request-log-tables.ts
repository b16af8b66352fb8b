/** Times are milliseconds since the Unix epoch. */
export interface RequestLogTables {
  request_bodies: RequestBodiesTable;
  request_body_blobs: RequestBodyBlobsTable;
}

/** The kept bodies of one exchange; its caller, model and time stand in the ledger. */
export interface RequestBodiesTable {
  /** The id of the exchange. */
  id: string;
  /** The caller, by which bodies of an erased person are found. */
  subject: string | null;
  /** Name of the tracing project. */
  project: string | null;
  expires_at: number;
  /** JSON of KeptBodies (store/request-bodies.ts), deflated (RFC 1951); empty: it lies in a blob. */
  data: Uint8Array;
  /** Which blob; null: `data` is all. */
  blob: string | null;
  /** Where in the blob it begins, and how long it is. */
  blob_at: number | null;
  blob_bytes: number | null;
}

/** A blob with bodies of several exchanges of one subject, whose time is over together. */
export interface RequestBodyBlobsTable {
  id: string;
  /** `bucket`, or the id of the gateway on whose disk it lies. */
  place: string;
  /** When it is taken away; 0: its subject is to be erased. */
  expires_at: number;
}
