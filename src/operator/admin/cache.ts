import { GatewayError } from '../../core/errors.ts';
import type { AdminRoute } from './admin-route.ts';

/** Cached answers, as the main thread sees them in shared memory. */
export interface CacheSight {
  view(): object;
  /** How many were dropped, here and in Redis; undefined `namespace`: all. */
  flush(namespace: string | undefined): Promise<{ readonly memory: number; readonly redis: number | undefined }>;
  readonly hasRedis: boolean;
}

export function cacheRoutes(cache: CacheSight): AdminRoute[] {
  return [
    {
      method: 'GET',
      path: '/admin/cache',
      session: { role: 'viewer', data: 'all' },
      summary: 'Cached answers: how many, how large, of which namespaces; Redis where it is configured',
      handle: () => ({ status: 200, json: cache.view() }),
    },
    {
      method: 'DELETE',
      path: '/admin/cache',
      session: { role: 'operator', data: 'all' },
      summary: 'Drops the cached answers of a namespace, or all',
      query: { namespace: 'Only this namespace; absent: all of them.' },
      handle: async ({ query }) => {
        const namespace = query.get('namespace') ?? undefined;
        const { memory, redis } = await cache.flush(namespace);
        if (cache.hasRedis && redis === undefined) {
          const detail = 'What it holds is served again when it is back.';
          return new GatewayError('cache_away', { detail, retryAfterMs: 1000 });
        }
        // What somebody wrote stands in no log.
        const changed = [namespace === undefined ? 'cache all' : 'cache namespace'];
        return { status: 200, json: { flushed: { memory, ...(cache.hasRedis && { redis }) } }, changed };
      },
    },
  ];
}
