import { createRequire } from 'node:module';

/**
 * The three parts of undici that connections are made of. All of undici brings a fetch, caches, proxies and web sockets as
 * well: loading it takes twice the time and memory in each relay thread. Its package lists no entries, so that its files
 * are there to be named; its version is pinned.
 */
const load = createRequire(import.meta.url);

export const Client: typeof import('undici').Client = load('undici/lib/dispatcher/client.js');
export const buildConnector: typeof import('undici').buildConnector = load('undici/lib/core/connect.js');
export const errors: typeof import('undici').errors = load('undici/lib/core/errors.js');
