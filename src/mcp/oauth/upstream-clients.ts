import { createHash } from 'node:crypto';
import { type JsonObject, parseObject, stringOf } from '../../codec/json-value.ts';
import type { McpOAuth } from '../../config/mcp/mcp-servers.ts';
import type { HttpClient } from '../../core/http-client.ts';
import type { AuthorizationFacts } from './discovery.ts';
import { clientDocumentUrl, clientMetadata } from './own-addresses.ts';
import type { McpRows } from './rows.ts';
import { type OAuthClient, oauthClientSchema, TokenFault } from './token-endpoint.ts';
import type { Vault } from './vault.ts';

const FETCH_MS = 10_000;
const MAX_ANSWER_BYTES = 65_536;

/** As whom the gateway asks users to agree: as the manifest says, by a document of its own, or registered (RFC 7591). */
export class UpstreamClients {
  readonly #rows: McpRows;
  readonly #vault: Vault;
  readonly #http: HttpClient;
  readonly #registering = new Map<string, Promise<OAuthClient>>();

  constructor(rows: McpRows, vault: Vault, http: HttpClient) {
    this.#rows = rows;
    this.#vault = vault;
    this.#http = http;
  }

  /** Rejects with a TokenFault. */
  of(server: string, auth: McpOAuth, facts: AuthorizationFacts, redirectUri: string): Promise<OAuthClient> {
    const { clientId: id, clientSecret: secret } = auth;
    if (id !== undefined) return Promise.resolve({ id, ...(secret !== undefined && { secret }) });
    const { clientDocuments, registrationUrl } = facts;
    if (clientDocuments && redirectUri.startsWith('https://')) {
      return Promise.resolve({ id: clientDocumentUrl(redirectUri), method: 'none' });
    }
    if (registrationUrl === undefined) {
      return Promise.reject(new TokenFault('no `client_id` is configured, and its issuer registers nobody'));
    }
    const key = keyOf(server, registrationUrl, redirectUri);
    let underWay = this.#registering.get(key);
    if (underWay === undefined) {
      underWay = this.#registered(key, registrationUrl, redirectUri).finally(() => this.#registering.delete(key));
      this.#registering.set(key, underWay);
    }
    return underWay;
  }

  /** Its issuer does not know the client any more: the next user's consent registers another. */
  async forget(server: string, facts: AuthorizationFacts, redirectUri: string): Promise<void> {
    const { registrationUrl } = facts;
    if (registrationUrl !== undefined) await this.#rows.deleteClient(keyOf(server, registrationUrl, redirectUri));
  }

  async #registered(key: string, registrationUrl: string, redirectUri: string): Promise<OAuthClient> {
    const kept = await this.#rows.client(key);
    const known = kept === undefined ? undefined : clientIn(this.#vault.open(key, kept));
    if (known) return known;
    // One that was sealed with another secret is of no use.
    if (kept !== undefined) await this.#rows.deleteClient(key);
    const made = await this.#register(registrationUrl, redirectUri);
    const stays = await this.#rows.putClient(key, this.#vault.close(key, made));
    return clientIn(this.#vault.open(key, stays)) ?? made;
  }

  async #register(url: string, redirectUri: string): Promise<OAuthClient> {
    const answer = await this.#http({
      url,
      method: 'POST',
      headers: ['content-type', 'application/json', 'accept', 'application/json'],
      body: JSON.stringify(clientMetadata(redirectUri)),
      timeoutMs: FETCH_MS,
      maxBytes: MAX_ANSWER_BYTES,
      reach: 'not-metadata',
    }).catch((error: unknown) => {
      throw new TokenFault(`its issuer registers nobody: ${error instanceof Error ? error.message : ''}`);
    });
    const body = parseObject(answer.body.toString()) ?? {};
    if (answer.status !== 201 && answer.status !== 200) {
      const code = stringOf(body['error'])?.slice(0, 100) ?? '';
      throw new TokenFault(`its issuer did not register the gateway: ${answer.status} ${code}`.trim());
    }
    const [id, secret] = [stringOf(body['client_id']), stringOf(body['client_secret'])];
    if (id === undefined) throw new TokenFault('its issuer registered the gateway without a client_id');
    const method = stringOf(body['token_endpoint_auth_method']);
    return { id, ...(secret !== undefined && { secret }), ...(method !== undefined && { method }) };
  }
}

function clientIn(opened: JsonObject | undefined): OAuthClient | undefined {
  const read = oauthClientSchema.safeParse(opened);
  return read.success ? read.data : undefined;
}

function keyOf(...parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
}
