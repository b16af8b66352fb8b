import { type JsonObject, parseObject } from '../codec/json-value.ts';
import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import { guardCode } from '../guardrails/guard-code.ts';
import type { GuardedInput, InputVerdict } from '../guardrails/guarded-input.ts';
import type { GuardSession } from '../guardrails/session.ts';
import { type PendingVerdict, untilVerdict } from '../guardrails/until-verdict.ts';
import { guardsUnread, unknownGuardrail } from '../policy/client-settings.ts';
import type { AnswerFilterMaker } from '../relay/answer-filter.ts';
import { NO_FILTERS, type RequestContext } from './request-context.ts';

/** The guards that apply to a request; undefined: none does. */
export function openGuards(request: RequestContext): OrError<GuardSession | undefined> {
  const { exchange, caller, metadata, dialect, peeked, client } = request;
  const { guardrails } = request.snapshot;
  const { guardrails: asked } = client;
  const unread = dialect.guarded === undefined ? guardsUnread(client, ['llm-input', 'llm-output']) : undefined;
  if (unread) return unread;
  if (guardrails === undefined) {
    const named = asked && Object.values(asked.guards).flat()[0];
    return named === undefined ? undefined : unknownGuardrail(named);
  }
  const model = { id: request.model, slug: peeked.model };
  const about = { id: exchange.id, caller, metadata, model: request.model, form: dialect.name };
  return guardrails.open({ caller, metadata, model }, about, asked);
}

/** Guards of the input that apply to a request, by name: whoever else is asked about its words asks these first. */
export function inputGuardNames(request: RequestContext): OrError<readonly string[]> {
  const session = openGuards(request);
  if (session === undefined || session instanceof GatewayError) return session ?? [];
  const plan = session.hook('llm-input');
  session.close();
  return plan === undefined
    ? []
    : [...plan.local, ...plan.mutators, ...plan.validators].map(({ guard }) => guard.config.name);
}

/** What guards of the input say; undefined: there is nothing for them to read. */
export function askInputGuards(
  { dialect, exchange }: RequestContext,
  session: GuardSession,
): InputVerdict | Promise<InputVerdict> | undefined {
  const plan = session.hook('llm-input');
  const { guarded } = dialect;
  const { body } = exchange;
  if (plan === undefined || guarded === undefined || body.length === 0) return undefined;
  const slots = (request: JsonObject) => guarded.request(request);
  return guardCode().guardInput({ session, hook: 'llm-input', plan, slots }, body) ?? new GatewayError('invalid_json');
}

/** The body as guards left it, read once more. */
export function takeGuardedBody(request: RequestContext, { body }: GuardedInput): GatewayError | undefined {
  if (body === undefined) return undefined;
  const scan = request.dialect.scan(request.exchange);
  scan.advance(body, body.length);
  const peeked = scan.result(body);
  if (peeked instanceof GatewayError) return peeked;
  request.exchange.body = body;
  request.peeked = peeked;
  return undefined;
}

/** What guards make of the answer. `verdict`: of guards of the input that are still asked; undefined: none is. */
export function guardFilters(
  request: RequestContext,
  session: GuardSession | undefined,
  input: GuardedInput | undefined,
  verdict: PendingVerdict | undefined,
): readonly AnswerFilterMaker[] {
  const { guarded } = request.dialect;
  if (session === undefined || guarded === undefined) return NO_FILTERS;
  const { maxBodyMemoryBytes, maxTranslateBytes: maxHeldBytes } = request.snapshot.settings.limits;
  const { sharedMemory } = request.options;
  const output = session.hook('llm-output');
  const asksWhole = output !== undefined && output.mutators.length + output.validators.length > 0;
  // The body goes with the commit point.
  const parsed = input?.request ?? (asksWhole ? parseObject(request.exchange.body.toString()) : undefined);
  const filter = guardCode().outputGuard({
    session,
    form: guarded,
    request: () => parsed ?? {},
    sharedMemory,
    maxBodyMemoryBytes,
    maxHeldBytes,
  });
  return [...(filter ? [filter] : []), ...(verdict ? [untilVerdict(verdict)] : [])];
}
