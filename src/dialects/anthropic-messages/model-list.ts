import type { ListedName, ModelListForm } from '../dialect.ts';

/** "May be set to an epoch value if the release date is unknown": no provider tells when a model was made. */
const CREATED_AT = '1970-01-01T00:00:00Z';
const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 1_000;

/** https://platform.claude.com/docs/en/api/models-list */
export const modelList: ModelListForm = {
  header: 'anthropic-version',
  list(models, query) {
    const asked = new URLSearchParams(query ?? '');
    const page = pageOf(models, asked);
    const { length } = page.models;
    return {
      data: page.models.map(model),
      has_more: page.hasMore,
      first_id: length > 0 ? page.models[0]!.id : null,
      last_id: length > 0 ? page.models[length - 1]!.id : null,
    };
  },
  model,
};

/** A cursor that names nothing begins at the end that is asked for, as one that was taken away since would. */
function pageOf(
  models: readonly ListedName[],
  asked: URLSearchParams,
): { models: readonly ListedName[]; hasMore: boolean } {
  const limit = limitOf(asked.get('limit'), models.length);
  const before = asked.get('before_id');
  if (before !== null) {
    const found = models.findIndex(({ id }) => id === before);
    const end = found < 0 ? models.length : found;
    const start = Math.max(0, end - limit);
    return { models: models.slice(start, end), hasMore: start > 0 };
  }
  const start = models.findIndex(({ id }) => id === asked.get('after_id')) + 1;
  return { models: models.slice(start, start + limit), hasMore: start + limit < models.length };
}

/** Agents read one page: where no limit is named all of them are on it. */
function limitOf(text: string | null, all: number): number {
  if (text === null) return Math.max(all, DEFAULT_LIMIT);
  const limit = Number(text);
  return Number.isInteger(limit) && limit >= 1 ? Math.min(limit, MAX_LIMIT) : DEFAULT_LIMIT;
}

function model({ id }: ListedName): object {
  return { type: 'model', id, display_name: id, created_at: CREATED_AT };
}
