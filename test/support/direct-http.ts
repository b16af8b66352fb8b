import { httpClient } from '../../src/upstream/one-request.ts';

/** What the main thread asks others through, with no proxy and no private authority. */
export const directHttp = httpClient(() => ({ proxies: {}, noProxy: [] }));
