import { type ErrorCode, type ErrorContext, GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { Task } from '../../offload/tasks.ts';
import type { WorkerPool } from '../../offload/worker-pool.ts';
import { type ConfigurationSource, portableSource } from '../configuration-source.ts';
import type { AdminAnswer, AdminRoute } from './admin-route.ts';

export interface ConfigurationQuestion {
  readonly kind: 'list' | 'check' | 'write' | 'keys';
  readonly source: ConfigurationSource;
  /** The body of the request; with `keys` it has the kind of manifest. */
  readonly body: unknown;
}

export type ConfigurationAnswer = AdminAnswer | { readonly code: ErrorCode; readonly context: ErrorContext };

/** Done in the thread of the configuration (config-thread/). */
export const configurationTask: Task<ConfigurationQuestion, ConfigurationAnswer> = { name: 'configuration' };

/** Less than a browser is kept waiting (30 s). */
const DEADLINE_MS = 20_000;
const MAX_WAITING = 4;

const TEXT = { type: 'string', description: 'All of the file; `(secret 1)` stands for what the file has there' };
const FILE = { type: 'string', description: 'As the list names it' };
const VERSION = { type: 'string', description: 'Of the list: a file that changed meanwhile is not written over' };

/** The files that the configuration in force was read from, with their secrets left out; a check, help, and a way to write one. */
export function configurationRoutes(source: ConfigurationSource, pool: Pick<WorkerPool, 'run'>): AdminRoute[] {
  const ask = async (kind: ConfigurationQuestion['kind'], body: unknown): Promise<OrError<AdminAnswer>> => {
    const question = { kind, source: portableSource(source), body };
    const result = await pool.run(configurationTask, question, { deadlineMs: DEADLINE_MS, maxQueued: MAX_WAITING });
    if ('failure' in result) return failureOf(result);
    const { value } = result;
    return 'code' in value ? new GatewayError(value.code, value.context) : value;
  };
  return [
    {
      method: 'GET',
      path: '/admin/configuration',
      summary: 'The files of the configuration; secrets in them are left out',
      handle: () => ask('list', null),
    },
    {
      method: 'GET',
      path: '/admin/configuration/keys',
      session: { role: 'viewer', data: 'none' },
      summary: 'What the keys of a kind of manifest mean, and what may be written there',
      query: { type: 'A kind, as `gateway-budget-config`; without it the kinds are listed' },
      handle: ({ query }) => ask('keys', query.get('type')),
    },
    {
      method: 'POST',
      path: '/admin/configuration/check',
      summary: 'What would be wrong with the configuration if this file were so; nothing is written',
      requestBody: {
        type: 'object',
        required: ['file', 'text'],
        additionalProperties: false,
        properties: { file: FILE, text: TEXT },
      },
      handle: ({ body }) => ask('check', body),
    },
    {
      method: 'PUT',
      path: '/admin/configuration',
      summary: 'Writes one file of the configuration if a check finds no fault; the gateway then sees it as any change',
      requestBody: {
        type: 'object',
        required: ['file', 'text', 'version'],
        additionalProperties: false,
        properties: { file: FILE, text: TEXT, version: VERSION },
      },
      conflict: 'The file changed meanwhile, cannot be written, or would be faulty',
      handle: ({ body }) => ask('write', body),
    },
  ];
}

function failureOf({ failure, cause }: { readonly failure: string; readonly cause?: unknown }): GatewayError {
  if (failure === 'deadline') {
    const detail = `The configuration could not be read within ${DEADLINE_MS / 1000} s.`;
    return new GatewayError('invalid_parameter', { param: 'text', detail });
  }
  if (failure === 'failed' && cause instanceof Error) throw cause;
  return new GatewayError('overloaded', { retryAfterMs: 1_000 });
}
