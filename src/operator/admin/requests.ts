import type { Configuration } from '../../config/configuration.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { RowLabels } from '../../ledger/export-rows.ts';
import { readReceipt } from '../../ledger/receipt.ts';
import { pageOfRequests, type RequestFilter, readCursor } from '../../ledger/request-page.ts';
import { isNamed, type Viewer } from '../../policy/data-access.ts';
import type { Database } from '../../store/database.ts';
import { type BodiesReader, findBodies, idsWithBodies } from '../../store/request-bodies.ts';
import type { AdminAnswer, AdminRequest, AdminRoute } from './admin-route.ts';
import { metadataOf, seenLabels, seenOf, seesOf, teamsOf } from './data-filter.ts';
import { limitHelp, pageLimit } from './page-limit.ts';
import { readSpan } from './usage-request.ts';

export interface RequestRouteDependencies {
  readonly database: Database;
  readonly access: () => Pick<Configuration, 'identities' | 'dataAccess'>;
  /** Reads bodies that lie in the blob store. */
  readonly readBodies: BodiesReader;
}

const DEFAULT_SPAN_MS = 7 * 86_400_000;
/** The bound of one question. */
const MAX_CONDITIONS = 8;

const AS = 'As whom: `user:…` or `virtualaccount:…`; only what `gateway-data-access-config` lets them see';

/** The exchanges of the ledger, newest first, and what is kept of their bodies. */
export function requestRoutes(dependencies: RequestRouteDependencies): AdminRoute[] {
  return [
    {
      method: 'GET',
      path: '/admin/requests',
      session: { role: 'viewer', data: 'filtered' },
      summary: 'Exchanges, newest first, in pages',
      query: {
        since: 'A span before now (`7d`, the default) or a date or time',
        until: 'The same; now without it',
        model: 'As it was asked for, `account/model`; or the target that answered',
        target: 'The target that answered, exactly',
        asked: 'The model as it was asked for, exactly',
        provider: 'Of the target, as `openai`',
        outcome: '`ok`, `error`, `cut` or `client-closed`; `failed`: error or cut, as sums count errors',
        user: '`user:…`, `virtualaccount:…`, or an e-mail address',
        key: 'Name or id of the API key',
        team: 'One of the teams of who asked',
        status: 'A status (`429`), a class (`5xx`), or `failed`: 400 and above',
        error: 'Code of the error that it ended with',
        guardrail: 'Name of a guard that rejected, changed or failed at it; `any`: whichever did',
        session: 'The same as `metadata=session_id:…`',
        metadata: '`key:value`; may be said several times, and all must hold',
        project: 'The tracing project of what is kept of bodies',
        limit: limitHelp('Exchanges in a page'),
        after: '`next` of the page before',
        as: AS,
      },
      handle: (request) => list(request, dependencies),
    },
    {
      method: 'GET',
      path: '/admin/requests/:id',
      session: { role: 'viewer', data: 'filtered' },
      summary: 'One exchange: its receipt with all attempts, and what is kept of its bodies',
      query: { as: AS },
      handle: (request) => show(request, dependencies),
    },
  ];
}

async function list(
  { query, viewer }: AdminRequest,
  dependencies: RequestRouteDependencies,
): Promise<OrError<AdminAnswer>> {
  const { database } = dependencies;
  const span = readSpan(
    { since: query.get('since') ?? undefined, until: query.get('until') ?? undefined },
    Date.now() - DEFAULT_SPAN_MS,
    Date.now() + 1,
  );
  if ('parameter' in span) return invalid(span.parameter, span.detail);
  const limit = pageLimit(query);
  if (limit instanceof GatewayError) return limit;
  const status = readStatus(query.get('status'));
  if (status instanceof GatewayError) return status;
  const labels = readLabels(query, viewer, dependencies);
  if (labels instanceof GatewayError) return labels;
  const written = query.get('after');
  const after = written === null ? undefined : readCursor(written);
  if (written !== null && after === undefined) return invalid('after', 'It is `next` of an answer.');
  const guard = query.get('guardrail');
  const filter: RequestFilter = {
    ...span,
    ...(status && { status }),
    ...(labels && { labels }),
    ...(guard !== null && { guardrail: (name) => guard === 'any' || guard === name }),
  };
  const page = await pageOfRequests(database, filter, after, limit);
  const kept = await idsWithBodies(
    database,
    page.rows.map(({ id }) => String(id)),
  );
  const project = query.get('project');
  const rows = page.rows.map((row) => ({
    ...row,
    project: kept.get(String(row['id'])) ?? null,
    bodies: kept.has(String(row['id'])),
  }));
  const shown = project === null ? rows : rows.filter((row) => row.project === project);
  return { status: 200, json: { requests: shown, next: page.next ?? null } };
}

async function show(
  { parameters, query, viewer }: AdminRequest,
  { database, access, readBodies }: RequestRouteDependencies,
): Promise<OrError<AdminAnswer>> {
  const id = parameters['id'] ?? '';
  const receipt = await readReceipt(database, id);
  const sees = seesOf(query, viewer, access);
  if (sees instanceof GatewayError) return sees;
  // A viewer who may not see it learns nothing of it, not even that it is there.
  if (receipt === undefined || (sees !== undefined && !sees(seenOf(receipt.who)))) {
    const detail = `No exchange \`${id.slice(0, 100)}\` is in the ledger. One that just ended is there within a second.`;
    return new GatewayError('not_found', { detail });
  }
  const bodies = await findBodies(database, id, Date.now(), readBodies);
  const json = { ...receipt, project: bodies?.project ?? null, bodies: bodies?.shown ?? null };
  // They are kept, and whoever looks should not take them for lost.
  const away = bodies !== undefined && bodies.shown === undefined;
  return { status: 200, json: { ...json, ...(away && { bodies_unavailable: true }) } };
}

function readStatus(written: string | null): OrError<RequestFilter['status'] | undefined> {
  if (written === null) return undefined;
  if (written === 'failed') return (status) => status >= 400;
  if (/^[1-5]\d\d$/.test(written)) return (status) => status === Number(written);
  if (/^[1-5]xx$/.test(written)) return (status) => Math.floor(status / 100) === Number(written[0]);
  return invalid('status', 'It is a status (`429`), a class (`5xx`), or `failed`.');
}

const OUTCOMES = ['ok', 'error', 'cut', 'client-closed'];

function readOutcome(written: string | null): OrError<readonly string[] | undefined> {
  if (written === null) return undefined;
  if (written === 'failed') return ['error', 'cut'];
  return OUTCOMES.includes(written) ? [written] : invalid('outcome', `It is one of ${OUTCOMES.join(', ')}, or failed.`);
}

type LabelTest = (labels: RowLabels) => boolean;

/** Undefined: nothing is asked of them. */
function readLabels(
  query: URLSearchParams,
  viewer: Viewer | undefined,
  { access }: RequestRouteDependencies,
): OrError<LabelTest | undefined> {
  const tests: LabelTest[] = [];
  const asks = (name: string, test: (value: string) => LabelTest): void => {
    const value = query.get(name);
    if (value !== null) tests.push(test(value));
  };
  asks(
    'model',
    (value) =>
      ({ model, target }) =>
        model === value || target === value,
  );
  asks(
    'target',
    (value) =>
      ({ target }) =>
        target === value,
  );
  asks(
    'asked',
    (value) =>
      ({ model }) =>
        model === value,
  );
  asks(
    'provider',
    (value) =>
      ({ provider }) =>
        provider === value,
  );
  const outcomes = readOutcome(query.get('outcome'));
  if (outcomes instanceof GatewayError) return outcomes;
  if (outcomes !== undefined) tests.push(({ outcome }) => outcomes.includes(outcome));
  asks(
    'user',
    (value) =>
      ({ subject }) =>
        subject !== null && isNamed(subject, [value]),
  );
  asks(
    'key',
    (value) =>
      ({ key_id: key }) =>
        key === value,
  );
  asks(
    'team',
    (value) =>
      ({ teams }) =>
        teamsOf(teams).includes(value),
  );
  asks(
    'error',
    (value) =>
      ({ error_code: code }) =>
        code === value,
  );
  asks(
    'session',
    (value) =>
      ({ metadata }) =>
        metadataOf(metadata)['session_id'] === value,
  );
  const conditions = query.getAll('metadata');
  if (conditions.length > MAX_CONDITIONS) return invalid('metadata', `At most ${MAX_CONDITIONS} of them.`);
  for (const condition of conditions) {
    const [, key, value] = /^([^:]{1,128}):(.*)$/s.exec(condition) ?? [];
    if (key === undefined || value === undefined) return invalid('metadata', 'It is written as `key:value`.');
    tests.push(({ metadata }) => {
      const known = metadataOf(metadata);
      return Object.hasOwn(known, key) && known[key] === value;
    });
  }
  const sees = seesOf(query, viewer, access);
  if (sees instanceof GatewayError) return sees;
  if (sees !== undefined) tests.push((labels) => sees(seenLabels(labels)));
  return tests.length === 0 ? undefined : (labels) => tests.every((test) => test(labels));
}

function invalid(param: string, detail: string): GatewayError {
  return new GatewayError('invalid_parameter', { param, detail });
}
