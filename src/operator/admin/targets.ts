import { z } from 'zod';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { TargetView } from '../../routing/target-list.ts';
import type { AdminAnswer, AdminRoute } from './admin-route.ts';

/** The health of targets, as the main thread sees it in shared memory. */
export interface TargetHealth {
  /** Whether gateways agree by Redis on what is out; `off`: they do not mean to. */
  readonly sharing: 'off' | 'shared' | 'away';
  views(): readonly TargetView[];
  /** Ids of the targets that can be asked again; undefined: all of them. */
  reset(target: string | undefined): readonly string[];
}

const resetSchema = z.strictObject({ target: z.string().optional() }).optional();

export function targetRoutes(health: TargetHealth): AdminRoute[] {
  return [
    {
      method: 'GET',
      path: '/admin/targets',
      session: { role: 'viewer', data: 'none' },
      summary: 'Health and latencies of every target of virtual models, and of each key of accounts with several',
      handle: () => ({ status: 200, json: { data: health.views(), sharing: health.sharing } }),
    },
    {
      method: 'POST',
      path: '/admin/targets/reset',
      session: { role: 'operator', data: 'none' },
      summary: 'Forgets what is known of a target, or of all: whatever is out can be asked again',
      requestBody: {
        type: 'object',
        properties: { target: { type: 'string', description: 'As `account/model`; absent: all targets.' } },
        additionalProperties: false,
      },
      handle: ({ body }) => reset(body, health),
    },
  ];
}

function reset(body: unknown, health: TargetHealth): OrError<AdminAnswer> {
  const read = resetSchema.safeParse(body);
  if (!read.success) {
    return new GatewayError('invalid_parameter', {
      param: 'target',
      detail: 'It is `{"target": "account/model"}`, or nothing.',
    });
  }
  const target = read.data?.target;
  const changed = health.reset(target);
  if (target !== undefined && changed.length === 0) {
    return new GatewayError('not_found', { detail: `No health is kept of \`${target.slice(0, 100)}\`.` });
  }
  return { status: 200, json: { reset: changed }, changed };
}
