import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import { usageReport } from '../../ledger/usage-report.ts';
import { visibleTo } from '../../policy/data-access.ts';
import type { AdminAnswer, AdminRequest, AdminRoute } from './admin-route.ts';
import { seenLabels } from './data-filter.ts';
import type { RequestRouteDependencies } from './requests.ts';
import { usageCsv, usageJson } from './usage-form.ts';
import { readUsageQuery } from './usage-request.ts';

/** Requests, tokens and cost, from the ledger's hourly and daily sums. */
export function usageRoutes(dependencies: RequestRouteDependencies): AdminRoute[] {
  return [
    {
      method: 'GET',
      path: '/admin/usage',
      session: { role: 'viewer', data: 'filtered' },
      summary: 'Requests, tokens and cost, grouped',
      query: {
        by: 'Comma separated: subject, user, virtualaccount, key, team, model, target, provider, day, hour, metadata.KEY',
        since: 'A span before now (`7d`, the default) or a date or time',
        until: 'The same; now without it',
        format: '`json` (the default) or `csv`',
        beyond: '`latencies`: also p50, p95 and p99 of first content and of added latency, from histograms (JSON)',
      },
      otherTypes: ['text/csv'],
      handle: (request) => answerUsage(request, dependencies),
    },
  ];
}

async function answerUsage(
  { query, viewer }: AdminRequest,
  { database, access }: RequestRouteDependencies,
): Promise<OrError<AdminAnswer>> {
  const format = query.get('format') ?? 'json';
  if (format !== 'json' && format !== 'csv')
    return new GatewayError('invalid_parameter', { param: 'format', detail: '`format` is json or csv.' });
  const wanted = readUsageQuery(
    {
      by: query.get('by') ?? undefined,
      since: query.get('since') ?? undefined,
      until: query.get('until') ?? undefined,
    },
    Date.now(),
  );
  if ('parameter' in wanted)
    return new GatewayError('invalid_parameter', { param: wanted.parameter, detail: wanted.detail });
  const beyond = query.get('beyond') ?? undefined;
  if (beyond !== undefined && beyond !== 'latencies')
    return new GatewayError('invalid_parameter', { param: 'beyond', detail: '`beyond` is latencies.' });
  const sees = viewer && visibleTo(viewer, 'metrics', access());
  const report = await usageReport(database, {
    ...wanted,
    beyond,
    ...(sees && { sees: (labels) => sees(seenLabels(labels)) }),
  });
  if (typeof report === 'string') return new GatewayError('invalid_parameter', { param: 'since', detail: report });
  if (format === 'json') return { status: 200, json: usageJson(report, wanted.by) };
  return { status: 200, text: { type: 'text/csv; charset=utf-8', body: usageCsv(report, wanted.by) } };
}
