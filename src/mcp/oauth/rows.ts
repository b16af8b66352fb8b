import type { McpConnection, McpConnectionFilter, McpPlace, McpSignIn } from '../../store/mcp-connections.ts';
import type { AccessTokenClaims } from '../../store/token-claims.ts';
import type { McpRowAnswer, McpRowQuestion } from '../../threads/mcp-row-messages.ts';
import { RpcError, UPSTREAM_ERROR } from '../protocol/json-rpc.ts';

/** The database cannot be asked; whatever needs it may be tried again. */
export class RowsAway extends RpcError {
  constructor() {
    super(UPSTREAM_ERROR, 'The database of the gateway does not answer; try again in a moment.', {
      code: 'database_away',
    });
  }
}

type PendingRow = Extract<McpRowQuestion, { kind: 'put-pending' }>['pending'];

/** What the database keeps of MCP. Every method rejects with RowsAway where it cannot be asked. */
export class McpRows {
  readonly #ask: (question: McpRowQuestion) => Promise<McpRowAnswer>;

  constructor(ask: (question: McpRowQuestion) => Promise<McpRowAnswer>) {
    this.#ask = ask;
  }

  async connection(place: McpPlace): Promise<McpConnection | undefined> {
    const answer = await this.#asked({ kind: 'connection', place });
    return answer.kind === 'connections' ? answer.connections[0] : undefined;
  }

  async connections(filter: McpConnectionFilter): Promise<readonly McpConnection[]> {
    const answer = await this.#asked({ kind: 'connections', filter });
    return answer.kind === 'connections' ? answer.connections : [];
  }

  async putConnection(connection: McpConnection): Promise<void> {
    await this.#asked({ kind: 'put-connection', connection });
  }

  /** False: another gateway refreshes it, or has. */
  async lease(id: string, version: number, forMs: number): Promise<boolean> {
    return (await this.#asked({ kind: 'lease', id, version, forMs })).kind === 'done';
  }

  /** It could not be refreshed. */
  async release(id: string, version: number): Promise<void> {
    await this.#asked({ kind: 'release', id, version });
  }

  async updateConnection(
    id: string,
    version: number,
    change: Pick<McpConnection, 'secret' | 'scopes' | 'expiresAt' | 'updatedAt'>,
  ): Promise<boolean> {
    return (await this.#asked({ kind: 'update-connection', id, version, change })).kind === 'done';
  }

  /** What was there. */
  async deleteConnections(filter: McpConnectionFilter): Promise<readonly McpConnection[]> {
    const answer = await this.#asked({ kind: 'delete-connections', filter });
    return answer.kind === 'connections' ? answer.connections : [];
  }

  async putPending(pending: PendingRow): Promise<void> {
    await this.#asked({ kind: 'put-pending', pending });
  }

  /** Once. */
  async takePending(id: string): Promise<string | undefined> {
    return this.#text({ kind: 'take-pending', id });
  }

  async client(id: string): Promise<string | undefined> {
    return this.#text({ kind: 'client', id });
  }

  /** The row that is there afterwards: the first stays. */
  async putClient(id: string, secret: string): Promise<string> {
    return (await this.#text({ kind: 'put-client', id, secret })) ?? secret;
  }

  async deleteClient(id: string): Promise<void> {
    await this.#asked({ kind: 'delete-client', id });
  }

  async putSignIn(signIn: McpSignIn): Promise<void> {
    await this.#asked({ kind: 'put-sign-in', signIn });
  }

  async nextOfSignIn(id: string, generation: number): Promise<McpSignIn | undefined> {
    const answer = await this.#asked({ kind: 'next-of-sign-in', id, generation });
    return answer.kind === 'sign-ins' ? answer.signIns[0] : undefined;
  }

  async signIns(subject: string | undefined): Promise<readonly McpSignIn[]> {
    const answer = await this.#asked({ kind: 'sign-ins', subject });
    return answer.kind === 'sign-ins' ? answer.signIns : [];
  }

  /** False: there was none, or it is somebody else's. */
  async deleteSignIn(id: string, subject?: string): Promise<boolean> {
    return (
      (await this.#asked({ kind: 'delete-sign-in', id, ...(subject !== undefined && { subject }) })).kind === 'done'
    );
  }

  async accessToken(claims: AccessTokenClaims): Promise<string> {
    const token = await this.#text({ kind: 'access-token', claims });
    if (token === undefined) throw new RowsAway();
    return token;
  }

  async #text(question: McpRowQuestion): Promise<string | undefined> {
    const answer = await this.#asked(question);
    return answer.kind === 'text' ? answer.text : undefined;
  }

  async #asked(question: McpRowQuestion): Promise<McpRowAnswer> {
    const answer = await this.#ask(question);
    if (answer.kind === 'away' || answer.kind === 'failed') throw new RowsAway();
    return answer;
  }
}
