import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import {
  type AddedBy,
  type Conversation,
  type ConversationItem,
  type ConversationKey,
  type ItemsQuery,
  MAX_CONVERSATION_ITEMS,
} from '../store/conversations.ts';
import type { KeptChain } from '../store/responses.ts';
import type { ConversationQuestion, ResponseAnswer } from '../threads/response-messages.ts';
import { RETRY_AFTER_MS } from './file-rows.ts';

type Ask = (question: ConversationQuestion) => Promise<ResponseAnswer>;

/** Conversations, asked of the thread that has the database. */
export class ConversationRows {
  readonly #ask: Ask;

  constructor(ask: Ask) {
    this.#ask = ask;
  }

  async create(conversation: Conversation, items: readonly ConversationItem[]): Promise<GatewayError | undefined> {
    return doneOr(await this.#ask({ kind: 'converse', conversation, items }));
  }

  async find(key: ConversationKey): Promise<OrError<Conversation>> {
    return conversationOr(await this.#ask({ kind: 'conversation', key }));
  }

  async update(key: ConversationKey, metadata: string): Promise<OrError<Conversation>> {
    return conversationOr(await this.#ask({ kind: 'update-conversation', key, metadata }));
  }

  async delete(key: ConversationKey): Promise<GatewayError | undefined> {
    return doneOr(await this.#ask({ kind: 'delete-conversation', key }));
  }

  /** What a turn in this conversation goes on from. */
  async chain(key: ConversationKey, maxBytes: number): Promise<OrError<KeptChain>> {
    const answer = await this.#ask({ kind: 'conversation-chain', key, maxBytes });
    if (answer.kind === 'chain') return answer.chain;
    const param = 'conversation';
    if (answer.kind === 'absent') {
      const detail = `\`${param}\`: no conversation \`${key.id.slice(0, 80)}\` is kept for this caller.`;
      return new GatewayError('conversation_not_found', { param, detail });
    }
    if (answer.kind !== 'too-long') return errorOf(answer);
    const detail = `\`${param}\`: it has more than ${maxBytes} bytes.`;
    return new GatewayError('invalid_parameter', { param, detail, setting: `limits.max_body_bytes: ${maxBytes}` });
  }

  /** `by`: who made them, where they are an answer's. */
  async add(
    key: ConversationKey,
    items: readonly ConversationItem[],
    expiresAt: number,
    by: AddedBy | undefined,
  ): Promise<GatewayError | undefined> {
    const answer = await this.#ask({ kind: 'add-items', key, items, expiresAt, by });
    if (answer.kind !== 'full') return doneOr(answer);
    const detail = `\`items\`: a conversation has ${MAX_CONVERSATION_ITEMS} items at the most.`;
    return new GatewayError('invalid_parameter', { param: 'items', detail });
  }

  /** One more than were asked for, where there are more. */
  async items(query: ItemsQuery): Promise<OrError<readonly ConversationItem[]>> {
    const answer = await this.#ask({ kind: 'items', query });
    return answer.kind === 'items' ? answer.items : errorOf(answer);
  }

  async item(key: ConversationKey, itemId: string): Promise<OrError<ConversationItem>> {
    const answer = await this.#ask({ kind: 'item', key, itemId });
    return (answer.kind === 'items' ? answer.items[0] : undefined) ?? errorOf(answer);
  }

  async deleteItem(key: ConversationKey, itemId: string): Promise<OrError<Conversation>> {
    return conversationOr(await this.#ask({ kind: 'delete-item', key, itemId }));
  }
}

function conversationOr(answer: ResponseAnswer): OrError<Conversation> {
  return answer.kind === 'conversation' ? answer.conversation : errorOf(answer);
}

function doneOr(answer: ResponseAnswer): GatewayError | undefined {
  return answer.kind === 'done' ? undefined : errorOf(answer);
}

/** Where the answer is none of those that were expected. */
export function errorOf({ kind }: ResponseAnswer): GatewayError {
  if (kind === 'absent') return new GatewayError('not_found');
  if (kind === 'away') return new GatewayError('database_away', { retryAfterMs: RETRY_AFTER_MS });
  return new GatewayError('internal_error', { cause: `responses: ${kind}` });
}
