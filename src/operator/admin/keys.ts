import { z } from 'zod';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { Identity } from '../../identity/identity.ts';
import { readKeyRequest, readRotation } from '../../identity/key-request.ts';
import { type AccountRules, isDue } from '../../identity/key-wish.ts';
import { type ApiKey, findKey, stateOf } from '../../store/api-keys.ts';
import type { Database } from '../../store/database.ts';
import { pageOfKeys } from '../../store/key-page.ts';
import type { AdminAnswer, AdminRequest, AdminRoute } from './admin-route.ts';

export interface KeyRouteDependencies {
  readonly database: Database;
  readonly identity: Pick<Identity, 'identities' | 'issue' | 'revoke' | 'rotate'>;
}

const LIMIT = { usual: 100, most: 1000 };
const STATES = ['active', 'rotated', 'revoked', 'expired'] as const;

const LIMIT_FORM = `a whole number from 1 to ${LIMIT.most}`;

const listQuery = z.object({
  subject: z.string().max(300, { error: 'up to 300 characters' }).optional(),
  state: z.enum(STATES, { error: STATES.join(', ') }).optional(),
  limit: z.coerce
    .number({ error: LIMIT_FORM })
    .int({ error: LIMIT_FORM })
    .min(1, { error: LIMIT_FORM })
    .max(LIMIT.most, { error: LIMIT_FORM })
    .default(LIMIT.usual),
  page_token: z.string().max(100, { error: '`next_page_token` of an answer' }).optional(),
});

/** JSON schemas of what the key routes take, for the OpenAPI document. */
const keySchema = {
  type: 'object',
  required: ['subject'],
  additionalProperties: false,
  properties: {
    subject: { type: 'string', description: '`user:EMAIL` or `virtualaccount:NAME`' },
    name: { type: 'string', maxLength: 64, description: 'A label for the list' },
    teams: { type: 'array', maxItems: 100, items: { type: 'string' } },
    models: {
      type: 'array',
      maxItems: 100,
      items: { type: 'string' },
      description: 'Patterns `account/model` in which `*` stands for any characters; absent: all models',
    },
    metadata: { type: 'object', additionalProperties: { type: 'string', maxLength: 128 } },
    expires_in: { type: 'string', example: '90d', description: 'A whole number with s, m, h, d or w' },
    expires_at: {
      type: 'string',
      format: 'date-time',
      description: 'Excludes expires_in; without both as its account says, else never',
    },
    token_type: { type: 'string', enum: ['jwt', 'opaque'], description: 'Absent: as its account says, else jwt' },
  },
};

const rotationSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    grace_period: {
      type: 'string',
      default: '24h',
      description: 'How long the old token works beside the new one; 0s: it ends at once',
    },
  },
};

/** Keys that are issued: made, listed, rotated, revoked. A token is in the one answer that made it and nowhere else. */
export function keyRoutes(dependencies: KeyRouteDependencies): AdminRoute[] {
  const { identity } = dependencies;
  return [
    {
      method: 'POST',
      path: '/admin/keys',
      summary: 'Make an API key; its token is in this answer and nowhere else, and works when the answer comes',
      requestBody: keySchema,
      success: 201,
      handle: async ({ body }) => {
        const now = new Date();
        const wish = readKeyRequest(body, now);
        if (wish instanceof GatewayError) return wish;
        const issued = await identity.issue(wish, now);
        if (issued instanceof GatewayError) return issued;
        const { key, token } = issued;
        return {
          status: 201,
          json: { ...keyJson(key, identity.identities), token },
          changed: [key.id],
          about: aboutOf(key),
        };
      },
    },
    {
      method: 'GET',
      path: '/admin/keys',
      session: { role: 'viewer', data: 'filtered' },
      summary: 'List API keys, oldest first',
      query: {
        subject: '`user:EMAIL` or `virtualaccount:NAME`',
        state: `One of ${STATES.join(', ')}`,
        limit: `Keys on a page, up to ${LIMIT.most}; ${LIMIT.usual} without it`,
        page_token: '`next_page_token` of the page before',
      },
      handle: (request) => listKeys(request, dependencies),
    },
    {
      method: 'GET',
      path: '/admin/keys/:id',
      session: { role: 'viewer', data: 'filtered' },
      summary: 'Show an API key',
      handle: async ({ parameters: { id = '' }, viewer }) => {
        const key = await findKey(dependencies.database, id);
        return shown(viewer === undefined || key?.subject === viewer.subject ? key : undefined, id, dependencies);
      },
    },
    {
      method: 'DELETE',
      path: '/admin/keys/:id',
      summary: 'Revoke an API key; it is void on this gateway when the answer comes, within five seconds on all others',
      handle: async ({ parameters: { id = '' } }) => {
        const answer = shown(await identity.revoke(id), id, dependencies);
        return answer instanceof GatewayError ? answer : { ...answer, changed: [id] };
      },
    },
    {
      method: 'POST',
      path: '/admin/keys/:id/rotate',
      summary: 'Make a new token for the same subject and claims; the old one works until its grace ends',
      requestBody: rotationSchema,
      success: 201,
      conflict: 'It was rotated, was revoked or has expired already',
      handle: async ({ parameters: { id = '' }, body }) => {
        const graceMs = readRotation(body);
        if (graceMs instanceof GatewayError) return graceMs;
        const rotated = await identity.rotate(id, graceMs);
        if (rotated instanceof GatewayError) return rotated;
        const { key, token, worksUntil } = rotated;
        const replaces = { id, works_until: worksUntil.toISOString() };
        const json = { ...keyJson(key, identity.identities), token, replaces };
        return { status: 201, json, changed: [id, key.id], about: aboutOf(key) };
      },
    },
  ];
}

function aboutOf({ subject, models }: ApiKey): NonNullable<AdminAnswer['about']> {
  return { subject, ...(models && { models }) };
}

async function listKeys(
  { query, viewer }: AdminRequest,
  dependencies: KeyRouteDependencies,
): Promise<OrError<AdminAnswer>> {
  const parsed = listQuery.safeParse(Object.fromEntries(query));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const param = String(issue?.path[0] ?? 'query');
    return new GatewayError('invalid_parameter', { param, detail: `\`${param}\`: allowed is ${issue?.message}.` });
  }
  const { subject: wanted, state, limit, page_token: after } = parsed.data;
  // Their own alone, whatever they may see of exchanges.
  const subject = viewer?.subject ?? wanted;
  if (wanted !== undefined && wanted !== subject) return { status: 200, json: { data: [], next_page_token: null } };
  const filter = { ...(subject && { subject }), ...(state && { state }), ...(after && { after }), limit: limit + 1 };
  const found = await pageOfKeys(dependencies.database, filter, new Date());
  if (found === undefined) {
    return new GatewayError('invalid_parameter', { param: 'page_token', detail: 'There is no such page.' });
  }
  const page = found.slice(0, limit);
  const rules = dependencies.identity.identities;
  const next = found.length > limit ? (page.at(-1)?.id ?? null) : null;
  return { status: 200, json: { data: page.map((key) => keyJson(key, rules)), next_page_token: next } };
}

function shown(key: ApiKey | undefined, id: string, { identity }: KeyRouteDependencies): OrError<AdminAnswer> {
  if (key !== undefined) return { status: 200, json: keyJson(key, identity.identities) };
  return new GatewayError('not_found', { detail: `There is no key \`${id.slice(0, 100)}\`.` });
}

function keyJson(key: ApiKey, rules: AccountRules): object {
  const now = new Date();
  const state = stateOf(key, now);
  return {
    id: key.id,
    name: key.name ?? null,
    subject: key.subject,
    teams: key.teams,
    models: key.models ?? null,
    metadata: key.metadata,
    token_type: key.tokenType ?? 'jwt',
    state,
    rotation_due: state === 'active' && isDue(key, now, rules),
    created_at: key.createdAt,
    expires_at: key.expiresAt ?? null,
    revoked_at: key.revokedAt ?? null,
    replaced_by: key.replacedBy ?? null,
  };
}
