import type { WebSocket } from 'ws';
import { GatewayError } from '../core/errors.ts';
import type { HeadersOfInterest, OrError, Principal } from '../core/exchange.ts';
import type { RealtimeWords } from '../dialects/realtime-words.ts';
import { type Admission, giveBack, Refused } from '../limits/admission.ts';
import type { PipelineOptions } from '../pipeline/pipeline-options.ts';
import { authorize, type Caller } from '../policy/caller.ts';
import { clientSettings } from '../policy/client-settings.ts';
import { type Metadata, recordedMetadata, requestMetadata } from '../policy/metadata.ts';
import type { Mount, Target } from '../providers/provider.ts';
import type { RealtimeForm, SessionModel } from '../providers/realtime-form.ts';
import { blamed } from '../routing/blame.ts';
import type { PlanContext, Route, Step } from '../routing/route-plan.ts';
import { mountOf, openGuards, permittedRoute, type SessionCaller, serves } from './permitted-route.ts';
import { openProviderSocket } from './provider-socket.ts';
import { RealtimeTurns, type RealtimeTurnsOptions, sessionAdmission, turnExchange } from './realtime-turns.ts';
import { SessionGuards } from './session-guards.ts';
import { permittedTranscriber, SideTranscripts, transcriberOf } from './transcribers.ts';

/** The caller of a session, and its request. */
export interface SessionRequest {
  readonly pipeline: PipelineOptions;
  readonly form: RealtimeForm;
  readonly words: RealtimeWords;
  readonly dialect: RealtimeTurnsOptions['form'];
  /** The pattern of the route. */
  readonly path: string;
  readonly principal: Principal;
  readonly headers: HeadersOfInterest;
  readonly protocols: readonly string[];
  /** The client's label for records; undefined: each turn has its own. */
  readonly requestId: string | undefined;
  /** The client's principal as it is now: a session outlives the check of its head. */
  renewed(principal: Principal): OrError<Principal>;
}

/** A session that a provider agreed to. */
export interface ProviderSession {
  readonly socket: WebSocket;
  readonly model: SessionModel;
  readonly turns: RealtimeTurns;
  readonly guards: SessionGuards;
  readonly transcripts: SideTranscripts;
}

/** Opens a session for a model, at the first of its targets that takes it. */
export async function openSession(asked: SessionRequest, model: string): Promise<OrError<ProviderSession>> {
  const exchange = turnExchange(asked);
  const snapshot = asked.pipeline.snapshot();
  const caller = snapshot.callers.of(asked.principal);
  const client = clientSettings(asked.headers);
  const refuse = (error: GatewayError, metadata?: Metadata): GatewayError => {
    const metadataJson = metadata && recordedMetadata(metadata, snapshot.settings);
    asked.pipeline.refused(exchange, error, { model, teamsJson: caller.teamsJson, metadataJson });
    return new GatewayError(error.code, { ...error.context, isRecorded: true });
  };
  if (client instanceof GatewayError) return refuse(client);
  const metadata = requestMetadata(client.metadata, caller);
  const about = { asked, snapshot, caller, client, metadata };
  const route = permittedRoute(about, model);
  if (route instanceof GatewayError) return refuse(route, metadata);
  const plan = route.plan(planContext(about));
  if (plan instanceof GatewayError) return refuse(plan, metadata);
  const target = plan.first.target;
  const admission = await snapshot.limits.admit(sessionAdmission({ caller, model: route.model, target, metadata }));
  if (admission instanceof Refused) return refuse(admission.error, metadata);
  const opened = await firstOf(plan, about);
  if ('error' in opened) {
    giveBack(admission);
    return refuse(opened.error, metadata);
  }
  return sessionAt(opened, { about, route, admission, exchange, model });
}

interface About extends SessionCaller {
  readonly asked: SessionRequest;
}

interface Opened {
  readonly socket: WebSocket;
  readonly step: Step;
  readonly mount: Mount;
  readonly attempts: number;
  readonly failed: readonly object[];
}

/** Asks the targets of the plan in order, until one takes the session. */
async function firstOf(
  plan: Exclude<ReturnType<Route['plan']>, GatewayError>,
  { asked, snapshot }: About,
): Promise<Opened | { error: GatewayError }> {
  const { pipeline, headers, protocols } = asked;
  const { timeouts, limits } = snapshot.settings;
  const failed: object[] = [];
  let error = new GatewayError('connect_failed');
  let step: Step | undefined = plan.first;
  for (let index = 0; step !== undefined; ) {
    const { target, observer, overrides } = step;
    const mount = mountOf(target, asked.form)!;
    const refused = overrides?.params && asked.form.refusedParam(overrides.params);
    if (refused !== undefined) {
      observer?.left();
      return { error: notOfSessions(refused, target) };
    }
    const beganAt = performance.now();
    observer?.asked();
    const socket = await openProviderSocket({
      target,
      mount,
      form: asked.form,
      overrides: overrides?.headers,
      pools: pipeline.pools,
      protocols,
      forwardable: headers.forwardable,
      connectMs: timeouts.connectMs,
      maxMessageBytes: limits.maxBodyBytes,
    });
    const ms = performance.now() - beganAt;
    if (!(socket instanceof GatewayError)) {
      observer?.answered(ms, undefined);
      return { socket, step, mount, attempts: index + 1, failed };
    }
    error = socket;
    observer?.failed(error, { status: error.context.upstreamStatus ?? error.status, headers: {} });
    if (error.context.upstreamStatus !== undefined) pipeline.credentialRefused(target, error);
    failed.push({ target: target.id, error: error.code, ms: Math.round(ms) });
    if (error.rule.retry !== 'next-target') break;
    index += 1;
    step = plan.step(index, blamed(error, error.context.upstreamStatus));
  }
  return { error };
}

function notOfSessions(param: string, { id }: Target): GatewayError {
  const detail = `\`override_params.${param}\` of \`${id}\` is no parameter of realtime sessions of this form: take it out of the route.`;
  return new GatewayError('unsupported_operation', { param: 'model', detail, target: id });
}

function sessionAt(
  { socket, step, mount, attempts, failed }: Opened,
  {
    about,
    route,
    admission,
    exchange,
    model,
  }: {
    about: About;
    route: Route;
    admission: Admission;
    exchange: ReturnType<typeof turnExchange>;
    model: string;
  },
): ProviderSession {
  const { asked, metadata } = about;
  const { pipeline, principal, renewed } = asked;
  const { target } = step;
  const callerNow = (): OrError<Caller> => {
    const now = renewed(principal);
    if (now instanceof GatewayError) return now;
    const caller = pipeline.snapshot().callers.of(now);
    return authorize(caller, route.model, route.slug) ?? caller;
  };
  const guards = new SessionGuards({
    words: asked.words,
    open(before) {
      const caller = callerNow();
      return caller instanceof GatewayError ? caller : openGuards(about, route, { id: exchange.id, caller, before });
    },
    bounds() {
      const { maxBodyMemoryBytes, maxTranslateBytes: maxHeldBytes } = pipeline.snapshot().settings.limits;
      return { sharedMemory: pipeline.sharedMemory, maxBodyMemoryBytes, maxHeldBytes };
    },
  });
  const common = { ...asked, form: asked.dialect, metadata, wireName: mount.wire.name, caller: callerNow };
  const attemptsJson = failed.length === 0 ? undefined : JSON.stringify(failed);
  const turns = new RealtimeTurns(
    { ...common, model: route.model, target, attempts, attemptsJson, guards },
    { admission, exchange },
  );
  const transcripts = new SideTranscripts((name) => {
    const transcriber = transcriberOf(pipeline.snapshot(), target, name);
    const once = { attempts: 1, attemptsJson: undefined, guards: undefined };
    return new RealtimeTurns({ ...common, model: transcriber.id, target: transcriber, ...once });
  });
  const names: SessionModel = {
    asked: model,
    target: target.id,
    atProvider: mount.sessionModel?.(target) ?? target.modelId,
    params: step.overrides?.params,
    isBeta: asked.headers.forwardable?.['openai-beta']?.includes('realtime=v1') ?? false,
    transcriber: (name) => permittedTranscriber(transcriberOf(pipeline.snapshot(), target, name), callerNow()),
  };
  return { socket, turns, guards, transcripts, model: names };
}

function planContext({ asked, caller, client, metadata }: About): PlanContext {
  const { principal, headers, form } = asked;
  return {
    waits: client.waits,
    retry: client.retry,
    subject: principal.subject,
    metadata,
    header: (name) => headers.forwardable?.[name] ?? headers.tfy?.[name],
    canAsk: (target) => caller.allows(target.id) && serves(target, form),
    conditionValues: () => ({
      subject: principal.subject,
      metadata,
      operation: 'realtime',
      stream: true,
      body_bytes: 0,
      max_output_tokens: 0,
      hour: new Date().getUTCHours(),
    }),
    complexity: () => ({ tier: 'simple', cause: 'signs' }),
  };
}
