import { parseObject } from '../codec/json-value.ts';
import { GatewayError } from '../core/errors.ts';
import type { Exchange, OrError } from '../core/exchange.ts';
import type { ConversationState, Dialect, PeekedRequest, RequestScan } from '../dialects/dialect.ts';
import { runInference } from '../pipeline/pipeline.ts';
import type { PipelineOptions } from '../pipeline/pipeline-options.ts';
import { mountFor } from '../relay/choose-mount.ts';
import { keptAnswer, type WholeAnswer } from '../relay/kept-answer.ts';
import type { KeptChain, KeptResponse } from '../store/responses.ts';
import type { BackgroundResponses } from './background-responses.ts';
import { addToConversation, conversationItems, type Turn } from './conversation-items.ts';
import type { ResponseRows } from './response-rows.ts';

export interface TurnParts {
  readonly rows: ResponseRows;
  readonly pipeline: PipelineOptions;
  /** Undefined: somebody waits for each answer. */
  readonly background?: BackgroundResponses;
  /** Default: none. */
  readonly memory?: ConversationMemory;
}

/** The memory of a conversation beside the database: on one connection, whether or not its answers are to be kept. */
export interface ConversationMemory {
  /** Undefined: it is not here. */
  recall(previousId: string): KeptChain | undefined;
  /** `items`: as of a chain, the answer's among them. */
  remember(id: string, chain: KeptChain): void;
}

/** Answers of these have an end; of the others their provider alone knows what became of them. */
const ENDED: ReadonlySet<unknown> = new Set(['completed', 'incomplete']);
/** Answers whose items one turn may name. */
const MAX_REFERRED = 64;

/** A request of a form whose answers are kept: what it goes on from is found, and its answer is kept. */
export function runConversation(exchange: Exchange, dialect: Dialect, parts: TurnParts): void {
  run(exchange, dialect, parts).catch((cause) => {
    refuse(exchange, new GatewayError('internal_error', { cause }), parts);
  });
}

function refuse(exchange: Exchange, error: GatewayError, { pipeline }: TurnParts): void {
  exchange.refuse(error, error.context.headers);
  pipeline.refused(exchange, error, { model: undefined });
  exchange.finish();
}

async function run(exchange: Exchange, dialect: Dialect, parts: TurnParts): Promise<void> {
  const { pipeline, memory } = parts;
  const { conversation } = dialect;
  const peeked = (exchange.scan as RequestScan).result(exchange.body);
  const { responses } = pipeline.snapshot().settings;
  const isOff = !responses.keep && memory === undefined;
  if (peeked instanceof GatewayError || peeked.state === undefined || conversation === undefined || isOff) {
    runInference(exchange, dialect, pipeline);
    return;
  }
  const { state } = peeked;
  const stores = state.stores && responses.keep && conversation.onlyReads === undefined;
  const refusal = contradiction(state, stores);
  const found = refusal ?? (await withReferences(exchange, dialect, peeked, parts));
  if (found instanceof GatewayError) {
    refuse(exchange, found, parts);
    return;
  }
  const keeps = stores || memory !== undefined || state.conversationId !== undefined;
  const items =
    keeps && conversation.onlyReads === undefined ? conversation.turnItems(exchange.body, found) : undefined;
  const chain = await before(exchange, state, parts);
  let given =
    chain instanceof GatewayError || chain === undefined ? chain : goOn(exchange, dialect, found, chain, parts);
  given ??= found;
  if (exchange.aborted !== undefined) given = new GatewayError('client_closed');
  if (given instanceof GatewayError) {
    refuse(exchange, given, parts);
    return;
  }
  if (items === undefined) {
    runInference(exchange, dialect, pipeline, { peeked: given });
    return;
  }
  const earlier = chain === undefined || chain instanceof GatewayError ? '[]' : chain.items;
  const turn = { owner: exchange.principal.subject, state, stores, items, earlier };
  if (state.background && parts.background) {
    await parts.background.begin(exchange, dialect, given, turn);
    return;
  }
  runInference(exchange, dialect, pipeline, { peeked: given, filters: [keeper(turn, parts)] });
}

/** The error of a turn that contradicts itself. */
function contradiction(state: ConversationState, stores: boolean): GatewayError | undefined {
  if (state.previousId !== undefined && state.conversationId !== undefined) {
    const detail = 'Give `previous_response_id` or `conversation`, not both.';
    return new GatewayError('invalid_parameter', { param: 'conversation', detail });
  }
  if (!state.background || stores) return undefined;
  const detail = '`background`: nobody could ask for the answer, since it is not stored.';
  return new GatewayError('invalid_parameter', { param: 'background', detail });
}

/** What the turn goes on from; undefined: from nothing. */
async function before(
  { principal: { subject: owner } }: Exchange,
  { previousId, conversationId }: ConversationState,
  { rows, memory, pipeline }: TurnParts,
): Promise<OrError<KeptChain> | undefined> {
  const { maxBodyBytes } = pipeline.snapshot().settings.limits;
  if (conversationId !== undefined) return rows.conversations.chain({ owner, id: conversationId }, maxBodyBytes);
  if (previousId === undefined) return undefined;
  return memory?.recall(previousId) ?? rows.chain(previousId, owner, maxBodyBytes);
}

/** Items that the turn names by their ids alone stand in it afterwards, where this gateway made them. */
async function withReferences(
  exchange: Exchange,
  { conversation }: Dialect,
  peeked: PeekedRequest,
  { rows }: TurnParts,
): Promise<OrError<PeekedRequest>> {
  const named = conversation?.references?.(exchange.body, peeked);
  if (named === undefined || named.size === 0) return peeked;
  const answers = new Set(named.values());
  if (answers.size > MAX_REFERRED) {
    const detail = `Its items are of more than ${MAX_REFERRED} responses.`;
    return new GatewayError('invalid_parameter', { param: 'input', detail });
  }
  const found = new Map<string, object>();
  for (const answer of answers) {
    const kept = await rows.find(answer, exchange.principal.subject);
    if (kept instanceof GatewayError) {
      if (kept.code === 'not_found') continue;
      return kept;
    }
    for (const { id, item } of conversationItems(parseObject(kept.response)?.['output'])) {
      if (named.has(id)) found.set(id, JSON.parse(item) as object);
    }
  }
  const [missing] = [...named.keys()].filter((id) => !found.has(id));
  if (missing !== undefined) {
    const detail = `\`input\`: no item \`${missing.slice(0, 80)}\` is kept for this caller.`;
    return new GatewayError('invalid_parameter', { param: 'input', detail });
  }
  const made = conversation?.withItems?.(exchange.body, peeked, found);
  if (made === undefined || made instanceof GatewayError) return made ?? peeked;
  exchange.body = made.body;
  return made.peeked;
}

/** The request of a turn that goes on: unchanged where its provider keeps the answer before, else with all items. */
function goOn(
  exchange: Exchange,
  dialect: Dialect,
  peeked: PeekedRequest,
  chain: KeptChain,
  { pipeline }: TurnParts,
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

/** Keeps what was answered, wherever the turn wants it. */
function keeper(turn: Turn, { rows, pipeline, memory }: TurnParts) {
  const { keepMs, maxBytes } = pipeline.snapshot().settings.responses;
  const { owner, state, stores, items, earlier } = turn;
  return keptAnswer(Math.max(0, maxBytes - Buffer.byteLength(items)), async (answer: WholeAnswer) => {
    const response = answer.body.toString();
    const { id, status, output } = parseObject(response) ?? {};
    if (typeof id !== 'string' || !ENDED.has(status)) return;
    const { target } = answer;
    const passed = !answer.translated;
    if (memory) {
      const all = joined([earlier, items, JSON.stringify(output ?? [])]);
      memory.remember(id, { target, atProvider: passed && stores, passed, items: all });
    }
    await addToConversation(turn, output, { target, passed }, rows, keepMs);
    if (!stores) return;
    const createdAt = Date.now();
    const kept: KeptResponse = {
      owner,
      id,
      target,
      atProvider: passed,
      passed,
      previousId: state.previousId,
      conversationId: state.conversationId,
      createdAt,
      expiresAt: createdAt + keepMs,
      leaseUntil: undefined,
      input: items,
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
