import { randomBytes } from 'node:crypto';
import { isArray, isObject, type JsonObject, parseObject } from '../codec/json-value.ts';
import { GatewayError } from '../core/errors.ts';
import type { Exchange, OrError } from '../core/exchange.ts';
import type { DialectConversation } from '../dialects/dialect.ts';
import type { Route } from '../edge/routes.ts';
import type { Conversation, ConversationItem, ConversationKey } from '../store/conversations.ts';
import { answeredRoutes, answerJson } from './answered-route.ts';
import { conversationItems, shownItem } from './conversation-items.ts';
import { itemList, pageOf, type ResponseEndpoints } from './responses-endpoint.ts';

/** As OpenAI bounds them. */
const MAX_ADDED = 20;
const MAX_METADATA = 16;
const MAX_KEY_CHARACTERS = 64;
const MAX_VALUE_CHARACTERS = 512;

type Endpoints = Pick<ResponseEndpoints, 'rows' | 'records' | 'pipeline'>;

/** Conversations of responses: https://platform.openai.com/docs/api-reference/conversations */
export function conversationRoutes(
  endpoints: Endpoints,
  form: DialectConversation,
  errorBody: Route['errorBody'],
): Route[] {
  const { records, pipeline, rows } = endpoints;
  const made = answeredRoutes(records, errorBody);
  const route = (
    method: Route['method'],
    pattern: string,
    answer: (exchange: Exchange, key: ConversationKey) => Promise<OrError<object>>,
  ): Route => {
    const told = async (exchange: Exchange): Promise<OrError<number>> => {
      const key = { owner: exchange.principal.subject, id: exchange.params['conversation_id'] ?? '' };
      const value = keepsNothing() ?? (await answer(exchange, key));
      if (value instanceof GatewayError) return value;
      answerJson(exchange, value);
      return 200;
    };
    return made(method, pattern, told, { body: method === 'POST' ? 'whole' : 'none', readsQuery: true });
  };
  const keepsNothing = (): GatewayError | undefined => {
    if (pipeline.snapshot().settings.responses.keep) return undefined;
    return new GatewayError('not_found', { detail: 'Nothing is kept here.', setting: 'responses.keep: false' });
  };
  const expiresAt = (): number => Date.now() + pipeline.snapshot().settings.responses.keepMs;
  const itemId = (exchange: Exchange): string => exchange.params['item_id'] ?? '';
  return [
    route('POST', '/conversations', async (exchange, { owner }) => {
      const body = bodyOf(exchange);
      if (body instanceof GatewayError) return body;
      const metadata = metadataIn(body);
      if (metadata instanceof GatewayError) return metadata;
      const items = itemsIn(body, form);
      if (items instanceof GatewayError) return items;
      const id = `conv_${randomBytes(24).toString('hex')}`;
      const conversation = { owner, id, createdAt: Date.now(), expiresAt: expiresAt(), metadata };
      const refusal = await rows.conversations.create(conversation, items);
      return refusal ?? shown(conversation);
    }),
    route('GET', '/conversations/{conversation_id}', async (_exchange, key) =>
      shownOr(await rows.conversations.find(key)),
    ),
    route('POST', '/conversations/{conversation_id}', async (exchange, key) => {
      const body = bodyOf(exchange);
      if (body instanceof GatewayError) return body;
      const metadata = metadataIn(body);
      if (metadata instanceof GatewayError) return metadata;
      return shownOr(await rows.conversations.update(key, metadata));
    }),
    route('DELETE', '/conversations/{conversation_id}', async (_exchange, key) => {
      const refusal = await rows.conversations.delete(key);
      return refusal ?? { id: key.id, object: 'conversation.deleted', deleted: true };
    }),
    route('POST', '/conversations/{conversation_id}/items', async (exchange, key) => {
      const body = bodyOf(exchange);
      if (body instanceof GatewayError) return body;
      const items = itemsIn(body, form);
      if (items instanceof GatewayError) return items;
      if (items.length === 0) return missing('items');
      const refusal = await rows.conversations.add(key, items, expiresAt(), undefined);
      return refusal ?? itemList(items.map(told), items.length);
    }),
    route('GET', '/conversations/{conversation_id}/items', async (exchange, key) => {
      const page = pageOf(exchange);
      if (page instanceof GatewayError) return page;
      const items = await rows.conversations.items({ ...key, ...page });
      return items instanceof GatewayError ? items : itemList(items.map(told), page.limit);
    }),
    route('GET', '/conversations/{conversation_id}/items/{item_id}', async (exchange, key) => {
      const item = await rows.conversations.item(key, itemId(exchange));
      return item instanceof GatewayError ? item : told(item);
    }),
    route('DELETE', '/conversations/{conversation_id}/items/{item_id}', async (exchange, key) =>
      shownOr(await rows.conversations.deleteItem(key, itemId(exchange))),
    ),
  ];
}

function shownOr(conversation: OrError<Conversation>): OrError<object> {
  return conversation instanceof GatewayError ? conversation : shown(conversation);
}

function shown({ id, createdAt, metadata }: Pick<Conversation, 'id' | 'createdAt' | 'metadata'>): object {
  return {
    id,
    object: 'conversation',
    created_at: Math.floor(createdAt / 1000),
    metadata: parseObject(metadata) ?? {},
  };
}

function told({ id, item }: ConversationItem): Record<string, unknown> {
  return shownItem(parseObject(item), id);
}

/** A body may be left out. */
function bodyOf({ body }: Exchange): OrError<JsonObject> {
  if (body.length === 0) return {};
  return parseObject(body.toString()) ?? new GatewayError('invalid_json');
}

/** As JSON of an object. */
function metadataIn({ metadata }: JsonObject): OrError<string> {
  if (metadata === undefined || metadata === null) return '{}';
  const pairs = isObject(metadata) ? Object.entries(metadata) : undefined;
  const fits =
    pairs !== undefined &&
    pairs.length <= MAX_METADATA &&
    pairs.every(
      ([key, value]) =>
        key.length <= MAX_KEY_CHARACTERS && typeof value === 'string' && value.length <= MAX_VALUE_CHARACTERS,
    );
  if (fits) return JSON.stringify(metadata);
  const detail =
    `It is an object of up to ${MAX_METADATA} texts: keys of up to ${MAX_KEY_CHARACTERS} characters, ` +
    `values of up to ${MAX_VALUE_CHARACTERS}.`;
  return new GatewayError('invalid_parameter', { param: 'metadata', detail });
}

function itemsIn({ items }: JsonObject, form: DialectConversation): OrError<ConversationItem[]> {
  if (items === undefined || items === null) return [];
  if (!isArray(items) || !items.every(isObject)) {
    return new GatewayError('invalid_parameter', { param: 'items', detail: 'It is a list of items.' });
  }
  if (items.length <= MAX_ADDED) return form.itemsFault?.(items, 'items') ?? conversationItems(items);
  const detail = `Up to ${MAX_ADDED} items are added at once.`;
  return new GatewayError('invalid_parameter', { param: 'items', detail });
}

function missing(param: string): GatewayError {
  return new GatewayError('invalid_parameter', { param, detail: `\`${param}\` is missing.` });
}
