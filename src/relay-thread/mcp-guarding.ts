import { isObject, type JsonObject, objectOf, parseObject } from '../codec/json-value.ts';
import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import type { GuardSession } from '../guardrails/session.ts';
import type { PipelineOptions } from '../pipeline/pipeline-options.ts';
import type { McpQuestionRefused, McpRequest } from '../threads/mcp-messages.ts';
import { GuardedEvents } from './guarded-events.ts';
import { rpcErrorBody, taskIn, toolIn } from './mcp-request.ts';
import { askedWords, toldWords } from './mcp-words.ts';
import type { GuardedStream, OpenMcpRequest } from './open-mcp-request.ts';
import { guardAsked, guardTold, nestedRequest, openToolGuards } from './tool-guards.ts';

export interface McpGuardingOptions {
  readonly pipeline: Pick<PipelineOptions, 'snapshot' | 'log'>;
  /** One of several servers answers, and which one is not known. */
  isJoint(server: string | undefined): boolean;
  maxMessageBytes(): number;
  tell(refused: McpQuestionRefused): void;
}

/** What a message is about, as rules are held against it. */
interface About {
  readonly tool: string;
  /** It may be of any tool of the server. */
  readonly ofAny: boolean;
}

const OF_SERVER: ReadonlySet<string> = new Set(['resources/read', 'prompts/get', 'completion/complete']);

/** Guards of what clients and servers of MCP say to each other, but for calls that code makes (nested-calls.ts). */
export class McpGuarding {
  readonly #options: McpGuardingOptions;

  constructor(options: McpGuardingOptions) {
    this.#options = options;
  }

  /**
   * Has guards read what goes to a server. `done` gets the body as they leave it, or why it does not go there; nothing where
   * the client has left meanwhile.
   */
  asked(open: OpenMcpRequest, { body }: Pick<McpRequest, 'body'>, done: (body: OrError<string>) => void): void {
    const about = this.#options.pipeline.snapshot().guardrails && aboutOf(body);
    const session = about && this.#open(open, about);
    if (session === undefined || session instanceof GatewayError) {
      done(session ?? body);
      return;
    }
    const message = parseObject(body) ?? {};
    open.guard = session;
    open.request = taskIn(body) ? requestOf(about!.tool) : message;
    // What asks about a task says nothing that was not read before.
    if (open.tool === undefined && askedWords(message).length === 0) {
      done(body);
      return;
    }
    void guardAsked(session, body)
      .catch((cause: unknown) => new GatewayError('internal_error', { cause }))
      .then((made) => {
        if (!open.over) done(made instanceof GatewayError && isAnswer(message) ? refusedAnswer(message, made) : made);
      });
  }

  /**
   * A stream begins: one that only tells what changes, where it may be about any tool; or one that goes on with the answer to
   * `resumes`. An error: it must not be told.
   */
  begins(
    open: OpenMcpRequest,
    { lasting, resumes }: { readonly lasting: boolean; readonly resumes?: string },
  ): GatewayError | undefined {
    const about = lasting ? { tool: '', ofAny: true } : resumes === undefined ? undefined : aboutOf(resumes);
    const session = about && this.#open(open, about);
    if (session === undefined || session instanceof GatewayError) return session;
    open.guard = session;
    open.request = requestOf(about!.tool);
    return undefined;
  }

  /** Undefined: nobody reads the events of the stream. */
  events(id: number, open: OpenMcpRequest, write: (text: string) => void): GuardedStream | undefined {
    const { guard } = open;
    return (
      guard &&
      new GuardedEvents(
        (message) => this.#told(id, guard, message, open.request ?? {}),
        write,
        this.#options.maxMessageBytes(),
      )
    );
  }

  /** A whole answer; `done` is not called where the client has left meanwhile. */
  answer(id: number, open: OpenMcpRequest, body: string, done: (body: string) => void): void {
    const { guard } = open;
    if (guard === undefined || body === '') {
      done(body);
      return;
    }
    void this.#told(id, guard, body, open.request ?? {})
      .catch((cause: unknown) => {
        this.#options.pipeline.log.error({ exchange: open.exchange.id, error: cause }, 'guards of a tool failed');
        return String(rpcErrorBody(new GatewayError('internal_error')));
      })
      .then((made) => {
        if (!open.over) done(made ?? '');
      });
  }

  #open(open: OpenMcpRequest, { tool, ofAny }: About): OrError<GuardSession | undefined> {
    const { guardrails } = this.#options.pipeline.snapshot();
    const { server } = open;
    const isJoint = ofAny || this.#options.isJoint(server);
    return guardrails && openToolGuards(guardrails, open, { server: server ?? 'all', name: tool, isJoint });
  }

  /** A refused message becomes an error for the same request; undefined: it answered none, and nobody gets it. */
  async #told(id: number, session: GuardSession, body: string, request: JsonObject): Promise<string | undefined> {
    const message = parseObject(body);
    const isOwn = message?.['method'] !== undefined;
    if (isOwn && toldWords(message ?? {}).length === 0) return body;
    const made = await guardTold(session, body, request);
    if (!(made instanceof GatewayError)) return made;
    const about = questionIn(message ?? {});
    if (about) {
      const { message: why, code } = made;
      this.#options.tell({ type: 'question-refused', id, about, refused: { message: why, code } });
    }
    if (isOwn) return undefined;
    const data = { code: made.code, ...made.context.beside };
    return JSON.stringify({
      jsonrpc: '2.0',
      id: message?.['id'] ?? null,
      error: { code: -32_000, message: made.message, data },
    });
  }
}

/** Undefined: guards have nothing to read in it, and nothing in its answer. */
function aboutOf(body: string): About | undefined {
  const tool = toolIn(body) ?? taskIn(body)?.tool;
  if (tool !== undefined) return { tool, ofAny: false };
  const message = parseObject(body) ?? {};
  const { method } = message;
  if (typeof method === 'string' && OF_SERVER.has(method)) return { tool: '', ofAny: false };
  return isAnswer(message) ? { tool: '', ofAny: true } : undefined;
}

/** Whether a message is a client's answer to a question of its server. */
function isAnswer({ method, result }: JsonObject): boolean {
  return method === undefined && isObject(result);
}

/** What a server waits for behind a message; undefined: nothing. */
function questionIn({ id, method, result }: JsonObject): McpQuestionRefused['about'] | undefined {
  if (method !== undefined) return typeof id === 'string' ? { question: id } : undefined;
  const { resultType, requestState: state } = objectOf(result) ?? {};
  return resultType === 'input_required' && typeof state === 'string' ? { state } : undefined;
}

/** The server is told that its question is not answered: it would wait for nothing. */
function refusedAnswer({ id }: JsonObject, { message, code }: GatewayError): string {
  return JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32_000, message, data: { code } } });
}

function requestOf(tool: string): JsonObject {
  return objectOf(parseObject(nestedRequest(tool, '{}'))) ?? {};
}
