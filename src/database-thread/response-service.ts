import type { Log } from '../core/log.ts';
import {
  advanceResponse,
  cancelResponse,
  eventsAfter,
  failAbandoned,
  renewResponses,
} from '../store/background-responses.ts';
import {
  addItems,
  type Conversation,
  conversationChain,
  deleteConversation,
  deleteExpiredConversations,
  deleteItem,
  findConversation,
  findItem,
  insertConversation,
  pageOfItems,
  updateConversation,
} from '../store/conversations.ts';
import type { Database } from '../store/database.ts';
import { deleteExpiredResponses, deleteResponse, findChain, findResponse, insertResponse } from '../store/responses.ts';
import { DatabaseAway } from '../store/store-fault.ts';
import type { ConversationQuestion, ResponseAnswer, ResponseQuestion } from '../threads/response-messages.ts';

/** How often answers are removed that have expired; nobody sees them from the moment they have. */
const EXPIRE_EVERY_MS = 60_000;
/** How often answers are looked for whose gateway is gone. */
const ABANDONED_EVERY_MS = 5_000;

/** Answers what relay threads ask of answers that are kept, and removes those that have expired. */
export class ResponseService {
  readonly #database: Database;
  readonly #log: Log;
  readonly #timers: readonly NodeJS.Timeout[];
  #work: Promise<void> = Promise.resolve();

  constructor(database: Database, log: Log) {
    this.#database = database;
    this.#log = log;
    this.#timers = [
      this.#every(EXPIRE_EVERY_MS, 'answers that have expired could not be removed', async () => {
        await deleteExpiredResponses(database, Date.now());
        await deleteExpiredConversations(database, Date.now());
      }),
      this.#every(ABANDONED_EVERY_MS, 'answers that were given up could not be failed', async () => {
        await failAbandoned(database, Date.now());
      }),
    ];
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.#work;
  }

  /** One piece of work after the other. */
  #every(ms: number, failure: string, work: () => Promise<void>): NodeJS.Timeout {
    return setInterval(() => {
      this.#work = this.#work.then(work).catch((error) => this.#log.warn({ error }, failure));
    }, ms).unref();
  }

  /** Never throws. */
  async answer(question: ResponseQuestion): Promise<ResponseAnswer> {
    try {
      return await this.#ask(question);
    } catch (error) {
      if (error instanceof DatabaseAway) return { kind: 'away' };
      this.#log.error({ error, question: question.kind }, 'kept answers could not be asked');
      return { kind: 'failed' };
    }
  }

  async #ask(question: ResponseQuestion): Promise<ResponseAnswer> {
    const database = this.#database;
    const now = Date.now();
    switch (question.kind) {
      case 'keep':
        await insertResponse(database, question.response);
        return { kind: 'done' };
      case 'find': {
        const response = await findResponse(database, question.id, question.owner, now);
        return response === undefined ? { kind: 'absent' } : { kind: 'response', response };
      }
      case 'chain': {
        const chain = await findChain(database, question.id, question.owner, now, question.maxBytes);
        return chainAnswer(chain);
      }
      case 'delete':
        return { kind: (await deleteResponse(database, question.id, question.owner)) ? 'done' : 'absent' };
      case 'advance':
        return { kind: (await advanceResponse(database, question.progress)) ? 'done' : 'absent' };
      case 'renew':
        return { kind: 'renewed', keys: await renewResponses(database, question.keys, question.leaseUntil) };
      case 'cancel': {
        const kept = await cancelResponse(database, question.key, now);
        if (kept === 'not-background') return { kind: kept };
        return kept === undefined ? { kind: 'absent' } : { kind: 'response', response: kept };
      }
      case 'events': {
        const events = await eventsAfter(database, question.key, question.after, now);
        return events === undefined ? { kind: 'absent' } : { kind: 'events', events };
      }
      default:
        return this.#askConversations(question, now);
    }
  }

  async #askConversations(question: ConversationQuestion, now: number): Promise<ResponseAnswer> {
    const database = this.#database;
    switch (question.kind) {
      case 'converse':
        await insertConversation(database, question.conversation, question.items);
        return { kind: 'done' };
      case 'conversation':
        return conversationAnswer(await findConversation(database, question.key, now));
      case 'update-conversation':
        return conversationAnswer(await updateConversation(database, question.key, question.metadata, now));
      case 'delete-conversation':
        return { kind: (await deleteConversation(database, question.key)) ? 'done' : 'absent' };
      case 'conversation-chain':
        return chainAnswer(await conversationChain(database, question.key, now, question.maxBytes));
      case 'add-items': {
        const { key, items, expiresAt, by } = question;
        return { kind: await addItems(database, key, items, expiresAt, by) };
      }
      case 'items': {
        const items = await pageOfItems(database, question.query, now);
        return items === undefined ? { kind: 'absent' } : { kind: 'items', items };
      }
      case 'item': {
        const item = await findItem(database, question.key, question.itemId, now);
        return item === undefined ? { kind: 'absent' } : { kind: 'items', items: [item] };
      }
      case 'delete-item':
        return conversationAnswer(await deleteItem(database, question.key, question.itemId, now));
    }
  }
}

function chainAnswer(chain: Awaited<ReturnType<typeof findChain>>): ResponseAnswer {
  if (typeof chain === 'string') return { kind: chain };
  return chain === undefined ? { kind: 'absent' } : { kind: 'chain', chain };
}

function conversationAnswer(conversation: Conversation | undefined): ResponseAnswer {
  return conversation === undefined ? { kind: 'absent' } : { kind: 'conversation', conversation };
}
