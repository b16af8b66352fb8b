export interface ResponseTables {
  responses: ResponsesTable;
  response_events: ResponseEventsTable;
  conversations: ConversationsTable;
  conversation_items: ConversationItemsTable;
}

/** An answer of which its caller may ask later, or go on from. Times are milliseconds since the Unix epoch. */
export interface ResponsesTable {
  /** The subject that asked: for anybody else it does not exist. */
  owner: string;
  id: string;
  /** `account/model` that answered. */
  target: string;
  /** 1: its provider keeps it as well, under the same id; 2: it passed from a provider, under another id. */
  at_provider: number;
  /** The answer that it went on from. */
  previous_id: string | null;
  created_at: number;
  expires_at: number;
  /** JSON: the items of its own turn. */
  input: string;
  /** JSON: the whole answer; while it is made, as far as it is known. */
  response: string;
  /** The conversation that it was added to. */
  conversation_id: string | null;
  /** It is being made while nobody waits for it; behind this moment its gateway is gone. Null: it has ended. */
  lease_until: number | null;
}

/** Some events of an answer, one behind the other, as they were told. */
export interface ResponseEventsTable {
  owner: string;
  response_id: string;
  first_number: number;
  last_number: number;
  expires_at: number;
  events: string;
}

export interface ConversationsTable {
  owner: string;
  id: string;
  created_at: number;
  /** Each change of its items puts it off. */
  expires_at: number;
  /** The position of the item that is added next. */
  next_position: number;
  /** `account/model` that answered last; empty: none did. */
  target: string;
  /** 1: all answers passed from the account of `target`, which takes back what it made. */
  passed: number;
  /** JSON of an object. */
  metadata: string;
}

export interface ConversationItemsTable {
  owner: string;
  conversation_id: string;
  position: number;
  id: string;
  /** JSON, as it was given. */
  item: string;
}
