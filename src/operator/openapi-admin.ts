import { ERRORS } from '../core/errors.ts';
import type { AdminRoute } from './admin/admin-route.ts';

const schema = { $ref: '#/components/schemas/Error' };
const refusal = (description: string) => ({ description, content: { 'application/json': { schema } } });

/** One operation for each route that is served now; all of them on the operator's own port, which each says. */
export function adminPaths(routes: readonly AdminRoute[], operatorUrl: string): Record<string, object> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}');
    paths[path] ??= { servers: [{ url: operatorUrl, description: 'Operator port, not the port of clients' }] };
    paths[path][route.method.toLowerCase()] = operation(route, path);
  }
  return paths;
}

function operation(route: AdminRoute, path: string): object {
  const { method, summary, path: written, query, requestBody, success, otherTypes, conflict } = route;
  const inPath = [...written.matchAll(/:(\w+)/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  const behind = Object.entries(query ?? {}).map(([name, description]) => ({
    name,
    in: 'query',
    description,
    schema: { type: 'string' },
  }));
  return {
    summary,
    operationId: operationId(method, path),
    tags: ['Administration'],
    security: [{ AdminKey: [] }],
    ...(inPath.length + behind.length > 0 ? { parameters: [...inPath, ...behind] } : {}),
    ...(requestBody ? { requestBody: { content: { 'application/json': { schema: requestBody } } } } : {}),
    responses: {
      [String(success ?? 200)]: {
        description: 'Done',
        content: {
          'application/json': { schema: { type: 'object' } },
          ...Object.fromEntries((otherTypes ?? []).map((type) => [type, { schema: { type: 'string' } }])),
        },
      },
      '400': refusal('Something that was sent is not allowed; `param` names it'),
      '401': refusal('Not the admin key; the connection is closed'),
      '404': refusal('There is nothing of this name'),
      ...(requestBody
        ? { '408': refusal(ERRORS.body_timeout.message), '413': refusal('The body is larger than 1 MiB') }
        : {}),
      ...(conflict === undefined ? {} : { '409': refusal(conflict) }),
      '503': refusal('The database does not answer'),
    },
  };
}

/** `GET /admin/keys/{id}` → `getAdminKeysId`. */
function operationId(method: string, path: string): string {
  const words = path.split(/[^A-Za-z0-9]+/).filter((word) => word !== '');
  return method.toLowerCase() + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
}

export const ADMIN_TAG = { name: 'Administration', description: 'On the operator port, with the admin key' };
export const ADMIN_SCHEME = { type: 'http', scheme: 'bearer', description: '`operator.admin_key`' };
