export interface ResponseTables {
  responses: ResponsesTable;
}

/** An answer of which its caller may ask later, or go on from. Times are milliseconds since the Unix epoch. */
export interface ResponsesTable {
  /** The subject that asked: for anybody else it does not exist. */
  owner: string;
  id: string;
  /** `account/model` that answered. */
  target: string;
  /** 1: its provider keeps it as well, under the same id. */
  at_provider: number;
  /** The answer that it went on from. */
  previous_id: string | null;
  created_at: number;
  expires_at: number;
  /** JSON: the items of its own turn. */
  input: string;
  /** JSON: the whole answer. */
  response: string;
}
