import { schemaKeys } from '../config/checks/schema-keys.ts';
import type { ManifestKind } from '../config/kinds/manifest-kind.ts';
import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import type { AdminAnswer } from '../operator/admin/admin-route.ts';

/** What each key of a kind of manifest means, and what may be written there: the help of the editor. `type` null: which kinds there are. */
export function keysOf(type: unknown, kinds: readonly Pick<ManifestKind, 'type' | 'schema'>[]): OrError<AdminAnswer> {
  const types = kinds.map((each) => each.type);
  if (type === null) return { status: 200, json: { types } };
  const kind = kinds.find((each) => each.type === type);
  if (kind === undefined)
    return new GatewayError('not_found', { param: 'type', detail: 'There is no such kind of manifest.' });
  const keys = schemaKeys(kind.schema).map(({ path, allowed, required, fallback, meaning }) => ({
    path,
    allowed,
    required,
    default: isPlain(fallback) ? fallback : null,
    meaning: meaning ?? null,
  }));
  return { status: 200, json: { type: kind.type, keys } };
}

function isPlain(value: unknown): value is string | number | boolean {
  return ['string', 'number', 'boolean'].includes(typeof value);
}
