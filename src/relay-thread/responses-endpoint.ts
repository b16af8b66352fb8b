import { isArray, isObject, parseObject, stringOf } from '../codec/json-value.ts';
import { GatewayError } from '../core/errors.ts';
import type { Exchange, OrError } from '../core/exchange.ts';
import type { ConversationState, Dialect, PeekedRequest, RequestScan } from '../dialects/dialect.ts';
import type { Route } from '../edge/routes.ts';
import { type PipelineOptions, runInference } from '../pipeline.ts';
import { mountFor } from '../relay/choose-mount.ts';
import { keptAnswer, type WholeAnswer } from '../relay/kept-answer.ts';
import type { KeptChain, KeptResponse } from '../store/responses.ts';
import { answered, answerJson } from './files-endpoint.ts';
import type { RefusalRecords } from './refusal-records.ts';
import type { ResponseRows } from './response-rows.ts';

export interface ResponseEndpoints {
  readonly rows: ResponseRows;
  readonly records: RefusalRecords;
  readonly pipeline: PipelineOptions;
}

/** Answers of these have an end; of the others their provider alone knows what became of them. */
const ENDED: ReadonlySet<unknown> = new Set(['completed', 'incomplete']);

/** What is kept of a conversation beside the database: on one connection, whether or not its answers are to be kept. */
export interface ConversationMemory {
  /** Undefined: it is not here. */
  recall(previousId: string): KeptChain | undefined;
  /** `items`: as of a chain, the answer's among them. */
  remember(id: string, chain: KeptChain): void;
}

export type ConversationParts = Parts & { readonly memory?: ConversationMemory };

/** A request of a form whose answers are kept: what it goes on from is found, and its answer is kept. */
export function runConversation(exchange: Exchange, dialect: Dialect, parts: ConversationParts): void {
  run(exchange, dialect, parts).catch((cause) => {
    refuse(exchange, new GatewayError('internal_error', { cause }), parts);
  });
}

function refuse(exchange: Exchange, error: GatewayError, { pipeline }: Parts): void {
  exchange.refuse(error, error.context.headers);
  pipeline.refused(exchange, error, { model: undefined });
  exchange.finish();
}

async function run(exchange: Exchange, dialect: Dialect, parts: ConversationParts): Promise<void> {
  const { pipeline, memory, rows } = parts;
  const { conversation } = dialect;
  const peeked = (exchange.scan as RequestScan).result(exchange.body);
  const { responses, limits } = pipeline.snapshot().settings;
  const isOff = !responses.keep && memory === undefined;
  if (peeked instanceof GatewayError || peeked.state === undefined || conversation === undefined || isOff) {
    runInference(exchange, dialect, pipeline);
    return;
  }
  const { state } = peeked;
  if (state.conversationId !== undefined) {
    const detail = 'Conversations are not kept yet: use `previous_response_id`.';
    refuse(exchange, new GatewayError('unsupported_parameter', { param: 'conversation', detail }), parts);
    return;
  }
  const stores = state.stores && responses.keep;
  const turn = stores || memory ? conversation.turnItems(exchange.body, peeked) : undefined;
  let given: OrError<PeekedRequest> = peeked;
  let chain: OrError<KeptChain> | undefined;
  if (state.previousId !== undefined) {
    const { subject } = exchange.principal;
    chain = memory?.recall(state.previousId) ?? (await rows.chain(state.previousId, subject, limits.maxBodyBytes));
    given = chain instanceof GatewayError ? chain : goOn(exchange, dialect, peeked, chain, parts);
    if (exchange.aborted !== undefined) given = new GatewayError('client_closed');
  }
  if (given instanceof GatewayError) {
    refuse(exchange, given, parts);
    return;
  }
  const before = chain === undefined || chain instanceof GatewayError ? '[]' : chain.items;
  const filters = turn === undefined ? [] : [keeper(exchange, { state, stores, turn, before }, parts)];
  runInference(exchange, dialect, pipeline, { peeked: given, filters });
}

type Parts = Pick<ResponseEndpoints, 'rows' | 'pipeline'>;

/** Its provider goes on by itself where it keeps the answer before; anybody else is sent all items. */
function goOn(
  exchange: Exchange,
  dialect: Dialect,
  peeked: PeekedRequest,
  chain: KeptChain,
  { pipeline }: Parts,
): OrError<PeekedRequest> {
  const { routes, settings } = pipeline.snapshot();
  const { maxBodyBytes } = settings.limits;
  const route = routes.resolve(peeked.model);
  // Why there is none is told where it is asked for.
  if (route instanceof GatewayError) return peeked;
  const passes = route.targets.every((target) => mountFor(target, dialect)?.wire.name === dialect.name);
  const isThere = route.targets.every(({ account }) => chain.target.startsWith(`${account}/`));
  if (passes && isThere && chain.atProvider) return peeked;
  const isForeign = passes && !(isThere && chain.passed);
  const made = dialect.conversation?.continued(exchange.body, peeked, chain.items, isForeign);
  if (made === undefined || made instanceof GatewayError) return made ?? peeked;
  if (made.body.length > maxBodyBytes) {
    return new GatewayError('body_too_large', { setting: `limits.max_body_bytes: ${maxBodyBytes}` });
  }
  exchange.body = made.body;
  return made.peeked;
}

interface Turn {
  readonly state: ConversationState;
  readonly stores: boolean;
  /** JSON of a list: the items of this turn, and those before it. */
  readonly turn: string;
  readonly before: string;
}

function keeper(
  exchange: Exchange,
  { state, stores, turn, before }: Turn,
  { rows, pipeline, memory }: ConversationParts,
) {
  const { keepMs, maxBytes } = pipeline.snapshot().settings.responses;
  const { subject } = exchange.principal;
  return keptAnswer(Math.max(0, maxBytes - Buffer.byteLength(turn)), async (answer: WholeAnswer) => {
    const response = answer.body.toString();
    const { id, status, output } = parseObject(response) ?? {};
    if (typeof id !== 'string' || !ENDED.has(status)) return;
    const atProvider = !answer.translated;
    if (memory) {
      const items = joined([before, turn, JSON.stringify(output ?? [])]);
      memory.remember(id, { target: answer.target, atProvider: atProvider && stores, passed: atProvider, items });
    }
    if (!stores) return;
    const createdAt = Date.now();
    const kept: KeptResponse = {
      owner: subject,
      id,
      target: answer.target,
      atProvider,
      previousId: state.previousId,
      createdAt,
      expiresAt: createdAt + keepMs,
      input: turn,
      response,
    };
    await rows.keep(kept);
  });
}

/** Lists in JSON as one. */
export function joined(lists: readonly string[]): string {
  const inner = lists.map((list) => list.trim().slice(1, -1)).filter((items) => items.trim() !== '');
  return `[${inner.join(',')}]`;
}

/** What is asked of answers that are kept. https://platform.openai.com/docs/api-reference/responses */
export function responseRoutes(responses: ResponseEndpoints, errorBody: Route['errorBody']): Route[] {
  const route = (
    method: Route['method'],
    pattern: string,
    answer: (exchange: Exchange, id: string) => Promise<OrError<number>>,
  ): Route => ({
    method,
    pattern,
    needsKey: true,
    body: 'none',
    readsQuery: true,
    errorBody,
    handle: (exchange) =>
      void answered(responses.records, exchange, () => answer(exchange, exchange.params['response_id'] ?? '')),
  });
  const { rows } = responses;
  return [
    route('GET', '/responses/{response_id}', async (exchange, id) => {
      if (new URLSearchParams(exchange.headers.query ?? '').get('stream') === 'true') {
        return new GatewayError('invalid_parameter', { param: 'stream', detail: 'A kept response is told whole.' });
      }
      const kept = await rows.find(id, exchange.principal.subject);
      if (kept instanceof GatewayError) return kept;
      const headers = ['content-type', 'application/json'];
      exchange.pushOwnHeaders(headers, 0);
      exchange.sink.start(200, headers);
      exchange.sink.end(Buffer.from(kept.response));
      return 200;
    }),
    route('DELETE', '/responses/{response_id}', async (exchange, id) => {
      const refusal = await rows.delete(id, exchange.principal.subject);
      if (refusal) return refusal;
      answerJson(exchange, { id, object: 'response', deleted: true });
      return 200;
    }),
    route('GET', '/responses/{response_id}/input_items', (exchange, id) => inputItems(rows, exchange, id)),
  ];
}

const MAX_ITEMS = 100;
const USUAL_ITEMS = 20;

async function inputItems(rows: ResponseRows, exchange: Exchange, id: string): Promise<OrError<number>> {
  const query = new URLSearchParams(exchange.headers.query ?? '');
  const limit = query.get('limit') ?? String(USUAL_ITEMS);
  if (!/^[1-9]\d{0,2}$/.test(limit) || Number(limit) > MAX_ITEMS) {
    const detail = `It is a whole number from 1 to ${MAX_ITEMS}.`;
    return new GatewayError('invalid_parameter', { param: 'limit', detail });
  }
  const order = query.get('order') ?? 'desc';
  if (order !== 'asc' && order !== 'desc') {
    return new GatewayError('invalid_parameter', { param: 'order', detail: 'It is asc or desc.' });
  }
  const kept = await rows.find(id, exchange.principal.subject);
  if (kept instanceof GatewayError) return kept;
  const list = parseObject(`{"list":${kept.input}}`)?.['list'];
  const items = (isArray(list) ? list : []).map((item, index) => named(item, id, index));
  if (order === 'desc') items.reverse();
  const after = query.get('after');
  const from = after === null ? 0 : items.findIndex((item) => item['id'] === after) + 1;
  if (after !== null && from === 0) {
    return new GatewayError('invalid_parameter', { param: 'after', detail: 'No item has this id.' });
  }
  const data = items.slice(from, from + Number(limit));
  answerJson(exchange, {
    object: 'list',
    data,
    first_id: data[0]?.['id'] ?? null,
    last_id: data.at(-1)?.['id'] ?? null,
    has_more: from + data.length < items.length,
  });
  return 200;
}

/** Items that a client sends mostly have no id of their own. */
function named(item: unknown, responseId: string, index: number): Record<string, unknown> {
  const value = isObject(item) ? item : {};
  const type = stringOf(value['type']) ?? 'message';
  const { content } = value;
  const parts =
    type === 'message' && typeof content === 'string' ? { content: [{ type: 'input_text', text: content }] } : {};
  const id = stringOf(value['id']) ?? `item_${responseId.replace(/^resp_/, '')}_${index}`;
  return { ...value, type, id, ...parts };
}
