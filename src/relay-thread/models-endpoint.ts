import { GatewayError } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import type { ModelListForm } from '../dialects/dialect.ts';
import type { Caller } from '../policy/caller.ts';
import type { ListedModel, ModelRoutes } from '../routing/model-routes.ts';
import { answerJson } from './answered-route.ts';

/** Forms of the list besides OpenAI's. */
export type ModelLists = readonly ModelListForm[];

/**
 * GET /models: the models that the key may use, in the client's form, which its headers tell; else in OpenAI's.
 * https://platform.openai.com/docs/api-reference/models
 */
export function listModels(exchange: Exchange, caller: Caller, routes: ModelRoutes, lists: ModelLists): void {
  const models = routes.list().filter(({ id, slug }) => caller.allows(id, slug));
  const form = formFor(exchange, lists);
  answerJson(
    exchange,
    form ? form.list(models, exchange.headers.query) : { object: 'list', data: models.map(modelObject) },
  );
}

function formFor({ headers: { forwardable } }: Exchange, lists: ModelLists): ModelListForm | undefined {
  return forwardable && lists.find(({ header }) => forwardable[header] !== undefined);
}

/** GET /models/{id}. A model that the key may not use is not there. */
export function showModel(
  exchange: Exchange,
  caller: Caller,
  routes: ModelRoutes,
  lists: ModelLists,
): GatewayError | undefined {
  const { allows } = caller;
  const { id: name = '' } = exchange.params;
  const route = routes.resolve(name);
  if (route instanceof GatewayError) return route.code === 'model_not_found' ? routes.notFound(name, allows) : route;
  if (!allows(route.model, route.slug)) return routes.notFound(name, allows);
  const [target] = route.targets;
  const shown = {
    id: route.model,
    ownedBy: route.isVirtual ? 'virtual-model' : (target?.provider ?? 'sluice'),
    modelTypes: route.modelTypes ?? target?.modelTypes,
  };
  answerJson(exchange, formFor(exchange, lists)?.model(shown) ?? modelObject(shown));
  return undefined;
}

/** No provider tells when a model was made; the field is required, so it is the same for all. */
const CREATED = 0;

function modelObject(model: ListedModel): object {
  // Undefined fields are left out.
  return { id: model.id, object: 'model', created: CREATED, owned_by: model.ownedBy, model_types: model.modelTypes };
}
