import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import type { GuardSession } from '../guardrails/session.ts';
import type { PipelineOptions, Snapshot } from '../pipeline/pipeline-options.ts';
import { authorize, type Caller } from '../policy/caller.ts';
import { type ClientSettings, unknownGuardrail } from '../policy/client-settings.ts';
import type { Metadata } from '../policy/metadata.ts';
import type { Mount, Target } from '../providers/provider.ts';
import type { RealtimeForm } from '../providers/realtime-form.ts';
import type { Route } from '../routing/route-plan.ts';

/** The caller of a session, in the light of one configuration. */
export interface SessionCaller {
  readonly asked: { readonly pipeline: PipelineOptions; readonly form: RealtimeForm };
  readonly snapshot: Snapshot;
  readonly caller: Caller;
  readonly client: ClientSettings;
  readonly metadata: Metadata;
}

/** Known, allowed, and able to do what is asked. */
export function permittedRoute(about: SessionCaller, model: string): OrError<Route> {
  const { snapshot, caller, metadata } = about;
  const { routes, routeRules } = snapshot;
  const found = routes.resolve(model);
  if (found instanceof GatewayError) {
    return found.code === 'model_not_found' ? routes.notFound(model, caller.allows) : found;
  }
  const forbidden = refusedBySecret(caller, found.model) ?? authorize(caller, found.model, found.slug);
  if (forbidden) return forbidden;
  const route = routeRules === undefined ? found : routeRules.apply(found, caller, metadata);
  if (!route.targets.some((target) => serves(target, about.asked.form))) {
    const types = (route.modelTypes ?? route.targets.flatMap((target) => target.modelTypes ?? [])).join(', ');
    const detail = types === '' ? undefined : `\`${route.model}\` is for: ${types}.`;
    return new GatewayError('unsupported_operation', { param: 'model', detail, target: route.model });
  }
  const guards = openGuards(about, route, { id: '', caller, before: undefined });
  return guards instanceof GatewayError ? guards : route;
}

/** The guards that apply to a turn of the session, as the configuration has them now. */
export function openGuards(
  { asked, client, metadata }: SessionCaller,
  route: Route,
  { id, caller, before }: { readonly id: string; readonly caller: Caller; readonly before: GuardSession | undefined },
): OrError<GuardSession | undefined> {
  const { guardrails } = asked.pipeline.snapshot();
  const named = client.guardrails && Object.values(client.guardrails.guards).flat()[0];
  if (guardrails === undefined) return named === undefined ? undefined : unknownGuardrail(named);
  const exchange = { id, caller, metadata, model: route.model, form: asked.form.wire };
  const guarded = { caller, metadata, model: { id: route.model, slug: route.slug } };
  return guardrails.open(guarded, exchange, client.guardrails, before);
}

/** Its manifest says that the model is for sessions, or nothing, and its provider has them in this form. */
export function serves(target: Target, form: RealtimeForm): boolean {
  const { modelTypes } = target;
  const isFor = modelTypes?.some((type) => form.modelTypes.includes(type)) ?? true;
  return isFor && mountOf(target, form) !== undefined;
}

export function mountOf(target: Target, { wire }: RealtimeForm): Mount | undefined {
  return target.mounts.get('realtime')?.find((mount) => mount.wire.name === wire);
}

/** A secret is for one model, by any of its names; why not for this one. */
function refusedBySecret({ principal: { session } }: Caller, model: string): GatewayError | undefined {
  if (session === undefined || session.model === model) return undefined;
  const detail = `The secret is for \`${session.model}\`, and not for \`${model}\`.`;
  return new GatewayError('model_forbidden', { param: 'model', detail, target: model });
}
