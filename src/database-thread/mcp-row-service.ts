import type { Log } from '../core/log.ts';
import type { Identity } from '../identity/identity.ts';
import type { Database } from '../store/database.ts';
import {
  deleteMcpClient,
  deleteMcpConnections,
  deleteMcpSignIns,
  findMcpClient,
  findMcpConnection,
  leaseMcpConnection,
  listMcpConnections,
  listMcpSignIns,
  nextOfMcpSignIn,
  putMcpClient,
  putMcpConnection,
  putMcpPending,
  putMcpSignIn,
  releaseMcpConnection,
  takeMcpPending,
  updateMcpConnection,
} from '../store/mcp-connections.ts';
import { DatabaseAway } from '../store/store-fault.ts';
import type { McpRowAnswer, McpRowQuestion } from '../threads/mcp-row-messages.ts';

const DONE: McpRowAnswer = { kind: 'done' };
const ABSENT: McpRowAnswer = { kind: 'absent' };

/** Answers what the thread of MCP asks of connections, sign-ins and what waits. */
export class McpRowService {
  readonly #database: Database;
  readonly #identity: Pick<Identity, 'signAccessToken'>;
  readonly #log: Log;

  constructor(database: Database, identity: Pick<Identity, 'signAccessToken'>, log: Log) {
    this.#database = database;
    this.#identity = identity;
    this.#log = log;
  }

  /** Never throws. */
  async answer(question: McpRowQuestion): Promise<McpRowAnswer> {
    try {
      return await this.#ask(question);
    } catch (error) {
      if (error instanceof DatabaseAway) return { kind: 'away' };
      this.#log.error({ error, question: question.kind }, 'what is kept of MCP could not be asked');
      return { kind: 'failed' };
    }
  }

  async #ask(question: McpRowQuestion): Promise<McpRowAnswer> {
    const database = this.#database;
    const now = Date.now();
    switch (question.kind) {
      case 'connection': {
        const found = await findMcpConnection(database, question.place);
        return found ? { kind: 'connections', connections: [found] } : ABSENT;
      }
      case 'connections':
        return { kind: 'connections', connections: await listMcpConnections(database, question.filter) };
      case 'put-connection':
        await putMcpConnection(database, question.connection);
        return DONE;
      case 'lease': {
        const { id, version, forMs } = question;
        return (await leaseMcpConnection(database, id, version, now, now + forMs)) ? DONE : ABSENT;
      }
      case 'release':
        await releaseMcpConnection(database, question.id, question.version);
        return DONE;
      case 'update-connection':
        return (await updateMcpConnection(database, question.id, question.version, question.change)) ? DONE : ABSENT;
      case 'delete-connections':
        return { kind: 'connections', connections: await deleteMcpConnections(database, question.filter) };
      case 'put-pending':
        await putMcpPending(database, question.pending, now);
        return DONE;
      case 'take-pending':
        return textOf(await takeMcpPending(database, question.id, now));
      case 'client':
        return textOf(await findMcpClient(database, question.id));
      case 'put-client':
        return textOf(await putMcpClient(database, question.id, question.secret, now));
      case 'delete-client':
        await deleteMcpClient(database, question.id);
        return DONE;
      case 'put-sign-in':
        await putMcpSignIn(database, question.signIn);
        return DONE;
      case 'next-of-sign-in': {
        const next = await nextOfMcpSignIn(database, question.id, question.generation, now);
        return next ? { kind: 'sign-ins', signIns: [next] } : ABSENT;
      }
      case 'sign-ins':
        return { kind: 'sign-ins', signIns: await listMcpSignIns(database, question.subject, now) };
      case 'delete-sign-in': {
        const { id, subject } = question;
        return (await deleteMcpSignIns(database, { id, ...(subject !== undefined && { subject }) })) ? DONE : ABSENT;
      }
      case 'access-token':
        return { kind: 'text', text: await this.#identity.signAccessToken(question.claims) };
    }
  }
}

function textOf(text: string | undefined): McpRowAnswer {
  return text === undefined ? ABSENT : { kind: 'text', text };
}
