import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import { usageReport } from '../../ledger/usage-report.ts';
import type { Database } from '../../store/database.ts';
import type { AdminAnswer, AdminRequest, AdminRoute } from './admin-route.ts';
import { usageCsv, usageJson } from './usage-form.ts';
import { readUsageQuery } from './usage-request.ts';

/** Requests, tokens and cost, from the ledger's hourly and daily sums. */
export function usageRoutes({ database }: { readonly database: Database }): AdminRoute[] {
  return [
    {
      method: 'GET',
      path: '/admin/usage',
      summary: 'Requests, tokens and cost, grouped',
      query: {
        by: 'Comma separated: subject, user, virtualaccount, key, team, model, target, provider, day, hour, metadata.KEY',
        since: 'A span before now (`7d`, the default) or a date or time',
        until: 'The same; now without it',
        format: '`json` (the default) or `csv`',
      },
      otherTypes: ['text/csv'],
      handle: (request) => answerUsage(request, database),
    },
  ];
}

async function answerUsage({ query }: AdminRequest, database: Database): Promise<OrError<AdminAnswer>> {
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
  const report = await usageReport(database, wanted);
  if (typeof report === 'string') return new GatewayError('invalid_parameter', { param: 'since', detail: report });
  if (format === 'json') return { status: 200, json: usageJson(report, wanted.by) };
  return { status: 200, text: { type: 'text/csv; charset=utf-8', body: usageCsv(report, wanted.by) } };
}
