import { parseObject } from '../codec/json-value.ts';
import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import { guardCode } from '../guardrails/guard-code.ts';
import type { GuardedInput, InputGuarding, InputVerdict } from '../guardrails/guarded-input.ts';
import type { GuardSession } from '../guardrails/session.ts';
import { type PendingVerdict, untilVerdict } from '../guardrails/until-verdict.ts';
import { guardsUnread, unknownGuardrail } from '../policy/client-settings.ts';
import type { AnswerFilterMaker } from '../relay/answer-filter.ts';
import { HeldMemory } from '../relay/held-memory.ts';
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
  request: RequestContext,
  session: GuardSession,
): InputVerdict | Promise<InputVerdict> | undefined {
  const plan = session.hook('llm-input');
  const { dialect, exchange } = request;
  const { guarded } = dialect;
  if (plan === undefined || guarded === undefined) return undefined;
  const guarding: InputGuarding = { session, hook: 'llm-input', plan, slots: (body) => guarded.request(body) };
  const { spooled, body } = exchange;
  // A field may stand behind the file.
  if (spooled) return spooled.whole().then((fault) => fault ?? askAboutForm(request, guarding));
  if (body.length === 0) return undefined;
  if (dialect.formTexts?.(request.peeked) !== undefined) return askAboutForm(request, guarding);
  return guardCode().guardInput(guarding, body) ?? new GatewayError('invalid_json');
}

async function askAboutForm(request: RequestContext, guarding: InputGuarding): Promise<InputVerdict> {
  const texts = request.dialect.formTexts?.(request.peeked);
  if (texts === undefined) return new GatewayError('internal_error');
  if (texts instanceof GatewayError) return texts;
  const verdict = await guardCode().guardParsed(guarding, texts);
  if (verdict instanceof GatewayError || verdict.body === undefined) return verdict;
  const body = await changedForm(request, guarding.session, texts);
  return body instanceof GatewayError ? body : { ...verdict, body };
}

/** A guard that changes a form needs it whole, and its bound is that of any other body. */
async function changedForm(
  { exchange, dialect, snapshot, options }: RequestContext,
  session: GuardSession,
  texts: Readonly<Record<string, unknown>>,
): Promise<OrError<Buffer>> {
  const { spooled } = exchange;
  const { maxBodyBytes, maxBodyMemoryBytes } = snapshot.settings.limits;
  let { body } = exchange;
  if (spooled) {
    const read = await spooled.read(maxBodyBytes);
    if (read instanceof GatewayError) return read;
    const memory = new HeldMemory(options.sharedMemory, maxBodyMemoryBytes);
    session.whenClosed(() => memory.release());
    if (!memory.mayHold(read.length))
      return new GatewayError('body_memory_full', { setting: memory.setting, retryAfterMs: 1000 });
    body = read;
    exchange.spooled = undefined;
    spooled.close();
  }
  return dialect.overridden?.(body, texts, exchange) ?? new GatewayError('internal_error');
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
