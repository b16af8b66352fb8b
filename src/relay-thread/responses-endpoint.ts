import { isArray, objectOf, parseObject, stringOf } from '../codec/json-value.ts';
import { GatewayError } from '../core/errors.ts';
import type { Exchange, OrError } from '../core/exchange.ts';
import type { DialectBackground } from '../dialects/dialect.ts';
import type { Route } from '../edge/routes.ts';
import type { PipelineOptions } from '../pipeline/pipeline-options.ts';
import type { KeptResponse } from '../store/responses.ts';
import { answeredRoutes, answerJson, answerText } from './answered-route.ts';
import type { BackgroundResponses } from './background-responses.ts';
import { shownItem } from './conversation-items.ts';
import type { RefusalRecords } from './refusal-records.ts';
import { startEvents, type ToldEvents, tellEvents } from './response-events.ts';
import type { ResponseRows } from './response-rows.ts';

export interface ResponseEndpoints {
  readonly rows: ResponseRows;
  readonly records: RefusalRecords;
  readonly pipeline: PipelineOptions;
  readonly background: BackgroundResponses;
}

/** Requests about kept answers. https://platform.openai.com/docs/api-reference/responses */
export function responseRoutes(
  responses: ResponseEndpoints,
  form: DialectBackground,
  errorBody: Route['errorBody'],
): Route[] {
  const made = answeredRoutes(responses.records, errorBody);
  const route = (
    method: Route['method'],
    pattern: string,
    answer: (exchange: Exchange, id: string) => Promise<OrError<number>>,
  ): Route =>
    made(method, pattern, (exchange) => answer(exchange, exchange.params['response_id'] ?? ''), {
      body: method === 'POST' ? 'whole' : 'none',
      readsQuery: true,
    });
  const { rows } = responses;
  return [
    route('GET', '/responses/{response_id}', async (exchange, id) => {
      const query = new URLSearchParams(exchange.headers.query ?? '');
      const kept = await rows.find(id, exchange.principal.subject);
      if (kept instanceof GatewayError) return kept;
      if (query.get('stream') === 'true')
        return events({ ...responses, form }, exchange, kept, query.get('starting_after'));
      answerText(exchange, kept.response);
      return 200;
    }),
    route('POST', '/responses/{response_id}/cancel', async (exchange, id) => {
      const cancelled = await rows.cancel({ owner: exchange.principal.subject, id });
      if (cancelled instanceof GatewayError) return cancelled;
      answerText(exchange, cancelled.response);
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

async function events(
  responses: ToldEvents,
  exchange: Exchange,
  { owner, id, response }: KeptResponse,
  startingAfter: string | null,
): Promise<OrError<number>> {
  if (startingAfter !== null && !/^\d{1,9}$/.test(startingAfter)) {
    const detail = 'It is the `sequence_number` of an event.';
    return new GatewayError('invalid_parameter', { param: 'starting_after', detail });
  }
  if (parseObject(response)?.['background'] !== true) {
    const detail = '`stream`: only a response that was asked for with `background` is told in events again.';
    return new GatewayError('invalid_parameter', { param: 'stream', detail });
  }
  startEvents(exchange);
  await tellEvents(exchange, { owner, id }, startingAfter === null ? -1 : Number(startingAfter), responses);
  return 200;
}

const MAX_ITEMS = 100;
const USUAL_ITEMS = 20;

export interface PageQuery {
  /** Id of the last item of the page before. */
  readonly after: string | undefined;
  readonly order: 'asc' | 'desc';
  readonly limit: number;
}

/** Which items of a list are asked for. */
export function pageOf(exchange: Exchange): OrError<PageQuery> {
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
  return { after: query.get('after') ?? undefined, order, limit: Number(limit) };
}

/** A page as it is told. `items`: one more than `limit`, where there are more. */
export function itemList(items: readonly Record<string, unknown>[], limit: number): object {
  const data = items.slice(0, limit);
  const ends = { first_id: data[0]?.['id'] ?? null, last_id: data.at(-1)?.['id'] ?? null };
  return { object: 'list', data, ...ends, has_more: items.length > limit };
}

async function inputItems(rows: ResponseRows, exchange: Exchange, id: string): Promise<OrError<number>> {
  const page = pageOf(exchange);
  if (page instanceof GatewayError) return page;
  const { after, order, limit } = page;
  const kept = await rows.find(id, exchange.principal.subject);
  if (kept instanceof GatewayError) return kept;
  const list = parseObject(`{"list":${kept.input}}`)?.['list'];
  const items = (isArray(list) ? list : []).map((item, index) => {
    const own = stringOf(objectOf(item)?.['id']);
    return shownItem(item, own ?? `item_${id.replace(/^resp_/, '')}_${index}`);
  });
  if (order === 'desc') items.reverse();
  const from = after === undefined ? 0 : items.findIndex((item) => item['id'] === after) + 1;
  if (after !== undefined && from === 0) {
    return new GatewayError('invalid_parameter', { param: 'after', detail: 'No item has this id.' });
  }
  answerJson(exchange, itemList(items.slice(from), limit));
  return 200;
}
