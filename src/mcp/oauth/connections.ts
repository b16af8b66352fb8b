import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { JsonObject } from '../../codec/json-value.ts';
import { GenerationCache } from '../../core/generation-cache.ts';
import type { HttpClient } from '../../core/http-client.ts';
import type { Log } from '../../core/log.ts';
import type { McpConnection, McpConnectionFilter, McpPlace } from '../../store/mcp-connections.ts';
import { RpcError, UPSTREAM_ERROR } from '../protocol/json-rpc.ts';
import type { McpRows } from './rows.ts';
import {
  askForToken,
  introspectedLife,
  oauthClientSchema,
  revokeToken,
  type TokenAnswer,
  TokenFault,
} from './token-endpoint.ts';
import type { Vault } from './vault.ts';

/** What the store keeps sealed of a user who agreed. */
const tokenSecretSchema = z.object({
  token: z.string(),
  refresh: z.string().optional(),
  /** Milliseconds since the Unix epoch; absent: the token is used until it is refused. */
  refreshAt: z.number().optional(),
  client: oauthClientSchema,
  tokenUrl: z.string(),
  tokenField: z.enum(['access_token', 'id_token']),
  introspectionUrl: z.string().optional(),
  revocationUrl: z.string().optional(),
  resource: z.string(),
});

export type TokenSecret = z.output<typeof tokenSecretSchema>;

const valuesSchema = z.record(z.string(), z.string());

export interface ConnectionsOptions {
  readonly rows: McpRows;
  readonly vault: Vault;
  readonly http: HttpClient;
  readonly log: Log;
  now(): number;
  /** Where a server is now; undefined: at no address. */
  originOf(server: string): string | undefined;
  /** A connection is gone: whatever was opened with it is closed. */
  onGone(id: string): void;
}

interface Known {
  readonly connection: McpConnection;
  readonly secret: JsonObject;
  readonly readAt: number;
}

/** How long another gateway's change, a revocation above all, may stay unseen here. */
const KNOWN_MS = 5_000;
const MAX_KNOWN = 10_000;
/** The next token is fetched after this part of a token's life, while it still works. */
const AHEAD = 0.8;
/** A renewal is claimed for this long, which is longer than a token is waited for. */
const LEASE_MS = 20_000;
const LOOK_AGAIN_MS = 250;
/** An issuer that is away is not asked with every call while the token still works. */
const TRY_AGAIN_MS = 10_000;
/** How long a call waits for a user who is agreeing; other gateways are looked at so often. */
const POLL_MS = 1_000;

/** What users brought for servers: tokens that they agreed to, and values of headers. Each is its user's alone. */
export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #known = new GenerationCache<Known>(MAX_KNOWN);
  readonly #refreshing = new Map<string, Promise<Known>>();
  readonly #waiting = new Map<string, Set<() => void>>();
  /** Scopes that a server wants beyond those that the user agreed to, until she agrees again. */
  readonly #wanted = new GenerationCache<readonly string[]>(MAX_KNOWN);
  /** When a token that still works could not be renewed. */
  readonly #failedAt = new GenerationCache<number>(MAX_KNOWN);

  constructor(options: ConnectionsOptions) {
    this.#options = options;
  }

  /** The token to send, renewed ahead of its end. Undefined: this user has not agreed. Rejects with an RpcError. */
  async tokenOf(place: McpPlace): Promise<{ readonly id: string; readonly token: string } | undefined> {
    let known = await this.#find(place);
    let secret = tokenIn(known);
    if (known === undefined || secret === undefined) return undefined;
    const { refreshAt, refresh } = secret;
    const now = this.#options.now();
    const { expiresAt } = known.connection;
    const hasEnded = expiresAt !== undefined && now >= expiresAt;
    const isDue = refreshAt !== undefined && now >= refreshAt && (hasEnded || this.#mayTry(known.connection.id));
    if (refresh !== undefined && isDue) {
      const underWay = this.#refreshed(place, known);
      if (hasEnded) {
        known = await underWay;
        secret = tokenIn(known) ?? secret;
      }
      // This token still works; the log says why there is no next one.
      else underWay.catch(() => undefined);
    } else if (hasEnded) return undefined;
    return { id: known.connection.id, token: secret.token };
  }

  wants(place: McpPlace, scopes: readonly string[]): void {
    this.#wanted.set(keyOf(place), scopes);
  }

  /** All that the user is to be asked for besides what the server always wants. Rejects with RowsAway. */
  async wantedOf(place: McpPlace): Promise<readonly string[]> {
    const wanted = this.#wanted.get(keyOf(place));
    if (wanted === undefined) return [];
    const known = await this.#find(place);
    // What she agreed to before she is not to lose by it.
    return [...(known?.connection.scopes ?? '').split(' ').filter(Boolean), ...wanted];
  }

  async valuesOf(place: McpPlace): Promise<Readonly<Record<string, string>> | undefined> {
    const known = await this.#find(place);
    const read = valuesSchema.safeParse(known?.connection.kind === 'values' ? known.secret : undefined);
    return read.success ? read.data : undefined;
  }

  /** The server refused the token. True: the next call has another one, or says that there is none. */
  async refused(place: McpPlace): Promise<boolean> {
    const known = await this.#find(place).catch(() => undefined);
    const secret = tokenIn(known);
    if (known === undefined || secret === undefined) return false;
    if (secret.refresh === undefined) {
      return this.delete({ id: known.connection.id }).then(
        () => true,
        () => false,
      );
    }
    return this.#refreshed(place, known).then(
      () => true,
      async () => (await this.#find(place).catch(() => known)) === undefined,
    );
  }

  /** Replaces what the user had there. */
  async putToken(place: McpPlace, issuer: string | undefined, answer: TokenAnswer, secret: TokenSecret): Promise<void> {
    const { lifeMs } = answer;
    this.#wanted.delete(keyOf(place));
    await this.#put(
      place,
      'oauth',
      issuer,
      answer.scope ?? '',
      { ...secret, ...timesOf(this.#options.now(), lifeMs) },
      lifeMs,
    );
  }

  async putValues(place: McpPlace, values: Readonly<Record<string, string>>): Promise<void> {
    await this.#put(place, 'values', this.#options.originOf(place.server), '', values, undefined);
  }

  list(filter: McpConnectionFilter): Promise<readonly McpConnection[]> {
    return this.#options.rows.connections(filter);
  }

  /** Revokes connections here, and at the issuer where it can be told. Gives how many there were. */
  async delete(filter: McpConnectionFilter): Promise<number> {
    const { rows, http } = this.#options;
    const gone = await rows.deleteConnections(filter);
    for (const connection of gone) {
      this.#options.onGone(connection.id);
      this.#known.delete(keyOf(connection));
      const secret = tokenIn({ connection, secret: this.#open(connection) });
      if (secret?.revocationUrl === undefined) continue;
      void revokeToken(http, secret.revocationUrl, secret.client, secret.refresh ?? secret.token);
    }
    return gone.length;
  }

  /** Resolves with whether the user has agreed by then. */
  async waitFor(place: McpPlace, untilMs: number, cancelled: () => boolean): Promise<boolean> {
    const key = keyOf(place);
    while (this.#options.now() < untilMs && !cancelled()) {
      this.#known.delete(key);
      if ((await this.#find(place)) !== undefined) return true;
      await this.#told(key);
    }
    return false;
  }

  #mayTry(id: string): boolean {
    const failedAt = this.#failedAt.get(id);
    return failedAt === undefined || performance.now() - failedAt > TRY_AGAIN_MS;
  }

  /** Resolves when something was put there, or after a while. */
  async #told(key: string): Promise<void> {
    const waiting = this.#waiting.get(key) ?? new Set();
    this.#waiting.set(key, waiting);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, POLL_MS);
      function done(): void {
        clearTimeout(timer);
        waiting.delete(done);
        resolve();
      }
      waiting.add(done);
    });
    if (waiting.size === 0) this.#waiting.delete(key);
  }

  async #put(
    place: McpPlace,
    kind: 'oauth' | 'values',
    issuer: string | undefined,
    scopes: string,
    secret: object,
    lifeMs: number | undefined,
  ): Promise<void> {
    const now = this.#options.now();
    // The connection gets an id of its own: sessions of the one before are not used for it.
    const id = `mcc_${randomBytes(16).toString('base64url')}`;
    const { subject, server, account } = place;
    const times = { createdAt: now, updatedAt: now, expiresAt: lifeMs === undefined ? undefined : now + lifeMs };
    const sealed = this.#options.vault.close(sealPlace({ ...place, id }), secret);
    const connection = { id, subject, server, account, kind, issuer, scopes, secret: sealed, version: 1, ...times };
    await this.#options.rows.putConnection(connection);
    const key = keyOf(place);
    this.#known.delete(key);
    for (const told of this.#waiting.get(key) ?? []) told();
  }

  async #find(place: McpPlace): Promise<Known | undefined> {
    const found = await this.#read(place);
    return found && this.#isForServer(found) ? found : undefined;
  }

  /** What somebody brought for a server is not for another one that stands under its name by now. */
  #isForServer(known: Known): boolean {
    const { server, kind, issuer } = known.connection;
    const origin = this.#options.originOf(server);
    const its = kind === 'oauth' ? tokenIn(known)?.resource : issuer;
    return origin === undefined || its === undefined || !URL.canParse(its) || new URL(its).origin === origin;
  }

  async #read(place: McpPlace): Promise<Known | undefined> {
    const key = keyOf(place);
    const known = this.#known.get(key);
    if (known && performance.now() - known.readAt < KNOWN_MS) return known;
    const connection = await this.#options.rows.connection(place);
    const secret = connection && this.#open(connection);
    if (!connection || !secret) {
      this.#known.delete(key);
      return undefined;
    }
    const found = { connection, secret, readAt: performance.now() };
    this.#known.set(key, found);
    return found;
  }

  #open(connection: McpConnection): JsonObject | undefined {
    const secret = this.#options.vault.open(sealPlace(connection), connection.secret);
    if (secret === undefined) {
      const { id, server } = connection;
      this.#options.log.warn(
        { id, server },
        'a connection of MCP was sealed with another mcp.secret; its user must connect anew',
      );
    }
    return secret;
  }

  /** Renews one at a time for each connection, over all gateways. */
  #refreshed(place: McpPlace, known: Known): Promise<Known> {
    const { id } = known.connection;
    let underWay = this.#refreshing.get(id);
    if (underWay === undefined) {
      underWay = this.#refresh(place, known).finally(() => this.#refreshing.delete(id));
      this.#refreshing.set(id, underWay);
    }
    return underWay;
  }

  async #refresh(place: McpPlace, known: Known): Promise<Known> {
    const { rows, http, vault, log, now } = this.#options;
    const { connection } = known;
    const { id, version, server } = connection;
    const before = tokenIn(known);
    if (before?.refresh === undefined) return gone(server);
    if (!(await rows.lease(id, version, LEASE_MS))) return this.#refreshedElsewhere(place, version);
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: before.refresh,
      resource: before.resource,
    });
    let answer: TokenAnswer;
    try {
      answer = await askForToken(http, before.tokenUrl, before.client, form, before.tokenField);
    } catch (error) {
      const fault = error instanceof TokenFault ? error : new TokenFault('the gateway failed');
      log.warn({ server, reason: fault.message }, 'a token of a user for an MCP server could not be renewed');
      // RFC 6749 §5.2: the user took it back, or it ended. Anything else may pass.
      if (fault.code === 'invalid_grant') await this.delete({ id });
      else {
        this.#failedAt.set(id, performance.now());
        await rows.release(id, version);
      }
      throw new RpcError(
        UPSTREAM_ERROR,
        `Your token for the server \`${server}\` could not be renewed: ${fault.message}.`,
        {
          code: 'mcp_token_failed',
        },
      );
    }
    const lifeMs = await lifeOf(http, before, answer, now());
    const { refreshAt: _refreshAt, ...kept } = before;
    const next: TokenSecret = {
      ...kept,
      token: answer.value,
      refresh: answer.refresh ?? before.refresh,
      ...timesOf(now(), lifeMs),
    };
    const change = {
      secret: vault.close(sealPlace(connection), next),
      scopes: answer.scope ?? connection.scopes,
      expiresAt: lifeMs === undefined ? undefined : now() + lifeMs,
      updatedAt: now(),
    };
    const isKept = await rows.updateConnection(id, version, change);
    this.#known.delete(keyOf(place));
    // The user revoked it or connected anew meanwhile: nobody gets the token that came.
    if (!isKept) return this.#refreshedElsewhere(place, version);
    return (await this.#find(place)) ?? gone(server);
  }

  async #refreshedElsewhere(place: McpPlace, version: number): Promise<Known> {
    const until = performance.now() + LEASE_MS;
    for (;;) {
      this.#known.delete(keyOf(place));
      const known = await this.#find(place);
      if (known === undefined) return gone(place.server);
      if (known.connection.version !== version) return known;
      if (performance.now() > until) {
        throw new RpcError(
          UPSTREAM_ERROR,
          `Your token for the server \`${place.server}\` is being renewed; try again.`,
          {
            code: 'mcp_token_failed',
          },
        );
      }
      await delay(LOOK_AGAIN_MS);
    }
  }
}

function tokenIn(
  known: { readonly connection: McpConnection; readonly secret: JsonObject | undefined } | undefined,
): TokenSecret | undefined {
  const read = tokenSecretSchema.safeParse(known?.connection.kind === 'oauth' ? known.secret : undefined);
  return read.success ? read.data : undefined;
}

/** Milliseconds; undefined: nobody says. Rejects with a TokenFault where its issuer says that it is none. */
export async function lifeOf(
  http: HttpClient,
  { introspectionUrl, client }: Pick<TokenSecret, 'introspectionUrl' | 'client'>,
  answer: TokenAnswer,
  nowMs: number,
): Promise<number | undefined> {
  if (answer.lifeMs !== undefined || introspectionUrl === undefined) return answer.lifeMs;
  return introspectedLife(http, introspectionUrl, client, answer.value, nowMs);
}

function timesOf(nowMs: number, lifeMs: number | undefined): { refreshAt?: number } {
  return lifeMs === undefined ? {} : { refreshAt: nowMs + lifeMs * AHEAD };
}

function gone(server: string): never {
  throw new RpcError(UPSTREAM_ERROR, `Your connection to the server \`${server}\` ended; connect anew.`, {
    code: 'mcp_credential_missing',
    server,
  });
}

function keyOf({ subject, server, account }: McpPlace): string {
  return JSON.stringify([subject, server, account]);
}

/** A row that is moved to another user, server or account cannot be opened there. */
function sealPlace({ id, subject, server, account }: McpPlace & { readonly id: string }): string {
  return JSON.stringify(['connection', id, subject, server, account]);
}
