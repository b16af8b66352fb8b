import { isArray, isObject, parseObject, stringOf } from '../codec/json-value.ts';
import { GatewayError } from '../core/errors.ts';
import type { Exchange, OrError } from '../core/exchange.ts';
import type { ConversationState, Dialect, PeekedRequest, RequestScan } from '../dialects/dialect.ts';
import type { Route } from '../edge/routes.ts';
import { type GivenRequest, type PipelineOptions, runInference } from '../pipeline.ts';
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

/** A request of a form whose answers are kept: what it goes on from is found, and its answer is kept. */
export function runConversation(exchange: Exchange, dialect: Dialect, parts: ResponseEndpoints): void {
  run(exchange, dialect, parts).catch((cause) => {
    refuse(exchange, new GatewayError('internal_error', { cause }), parts);
  });
}

function refuse(exchange: Exchange, error: GatewayError, { pipeline }: Parts): void {
  exchange.refuse(error, error.context.headers);
  pipeline.refused(exchange, error, { model: undefined });
  exchange.finish();
}

async function run(
  exchange: Exchange,
  dialect: Dialect,
  { rows, pipeline }: ResponseEndpoints,
): Promise<void> {
  const peeked = (exchange.scan as RequestScan).result(exchange.body);
  const { keep } = pipeline.snapshot().settings.responses;
  if (peeked instanceof GatewayError || peeked.state === undefined || !keep) {
    runInference(exchange, dialect, pipeline);
    return;
  }
  const { state } = peeked;
  if (state.conversationId !== undefined) {
    const detail = 'Conversations are not kept yet: use `previous_response_id`.';
    refuse(exchange, new GatewayError('unsupported_parameter', { param: 'conversation', detail }), { rows, pipeline });
    return;
  }
  const items = state.stores ? dialect.conversation?.turnItems(exchange.body, peeked) : undefined;
  let given: OrError<PeekedRequest> = peeked;
  if (state.previousId !== undefined) {
    given = await goOn(exchange, dialect, peeked, state.previousId, { rows, pipeline });
    if (exchange.aborted !== undefined) given = new GatewayError('client_closed');
  }
  if (given instanceof GatewayError) {
    refuse(exchange, given, { rows, pipeline });
    return;
  }
  const filters = items === undefined ? [] : [keeper(exchange, state, items, { rows, pipeline })];
  runInference(exchange, dialect, pipeline, { peeked: given, filters } satisfies GivenRequest);
}

type Parts = Pick<ResponseEndpoints, 'rows' | 'pipeline'>;

/** Its provider goes on by itself where it made the answer before; anybody else is sent all items. */
async function goOn(
  exchange: Exchange,
  dialect: Dialect,
  peeked: PeekedRequest,
  previousId: string,
  { rows, pipeline }: Parts,
): Promise<OrError<PeekedRequest>> {
  const { routes, settings } = pipeline.snapshot();
  const { maxBodyBytes } = settings.limits;
  const chain = await rows.chain(previousId, exchange.principal.subject, maxBodyBytes);
  if (chain instanceof GatewayError) return chain;
  const route = routes.resolve(peeked.model);
  // Why there is none is told where it is asked for.
  if (route instanceof GatewayError) return peeked;
  const passes = route.targets.every((target) => mountFor(target, dialect)?.wire.name === dialect.name);
  if (passes && route.targets.every(({ account }) => isAt(chain, account))) return peeked;
  const made = dialect.conversation?.continued(exchange.body, peeked, chain.items, passes);
  if (made === undefined || made instanceof GatewayError) return made ?? peeked;
  if (made.body.length > maxBodyBytes) {
    return new GatewayError('body_too_large', { setting: `limits.max_body_bytes: ${maxBodyBytes}` });
  }
  exchange.body = made.body;
  return made.peeked;
}

function isAt({ atProvider, target }: KeptChain, account: string): boolean {
  return atProvider && target.startsWith(`${account}/`);
}

function keeper(exchange: Exchange, state: ConversationState, input: string, { rows, pipeline }: Parts) {
  const { keepMs, maxBytes } = pipeline.snapshot().settings.responses;
  const { subject } = exchange.principal;
  return keptAnswer(Math.max(0, maxBytes - Buffer.byteLength(input)), async (answer: WholeAnswer) => {
    const response = answer.body.toString();
    const { id, status } = parseObject(response) ?? {};
    if (typeof id !== 'string' || !ENDED.has(status)) return;
    const createdAt = Date.now();
    const kept: KeptResponse = {
      owner: subject,
      id,
      target: answer.target,
      atProvider: !answer.translated,
      previousId: state.previousId,
      createdAt,
      expiresAt: createdAt + keepMs,
      input,
      response,
    };
    await rows.keep(kept);
  });
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
      void answered(responses.records, exchange, 'Responses', () =>
        answer(exchange, exchange.params['response_id'] ?? ''),
      ),
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
