import { isArray, isObject, type JsonObject, objectOf, parseObject } from '../codec/json-value.ts';
import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import { slotAt, slotsBelow, type TextSlot } from '../dialects/guarded-form.ts';
import { guardCode } from '../guardrails/guard-code.ts';
import type { Guardrails } from '../guardrails/guardrails.ts';
import type { GuardSession } from '../guardrails/session.ts';
import { toolModel } from '../limits/tool-rules.ts';
import { type AskedGuardrails, clientSettings } from '../policy/client-settings.ts';
import type { McpHold, McpRequest } from '../threads/mcp-messages.ts';
import { taskIn, toolIn } from './mcp-request.ts';
import type { GuardedStream, OpenMcpRequest } from './open-mcp-request.ts';

/**
 * Has guards read what a tool is called with. `isJoint`: one of several servers answers, and which one is not known.
 * `done` gets the body as they leave it, or why the tool is not called; nothing where the client has left meanwhile.
 */
export function guardCall(
  guardrails: Guardrails,
  open: OpenMcpRequest,
  { server, body }: Pick<McpRequest, 'server' | 'body'>,
  isJoint: boolean,
  done: (body: OrError<string>) => void,
): void {
  const session = openToolGuards(guardrails, open, server ?? 'all', isJoint);
  if (session === undefined || session instanceof GatewayError) {
    done(session ?? body);
    return;
  }
  open.guard = session;
  open.request = parseObject(body) ?? {};
  void guardArguments(session, body)
    .catch((cause: unknown) => new GatewayError('internal_error', { cause }))
    .then((made) => {
      if (!open.over) done(made);
    });
}

/**
 * Has guards read what comes of a call that was made before: of a task, or of a stream that its client takes up again. `body`
 * asks for the task, or made the call. What guards put in the place of arguments then stays as it is. An error: it must not be
 * told.
 */
export function guardLater(
  guardrails: Guardrails,
  open: OpenMcpRequest,
  { server, body }: Pick<McpRequest, 'server' | 'body'>,
  isJoint: boolean,
): GatewayError | undefined {
  const tool = toolIn(body) ?? taskIn(body)?.tool;
  if (tool === undefined) return undefined;
  const session = openToolGuards(guardrails, { ...open, tool }, server ?? 'all', isJoint);
  if (session === undefined || session instanceof GatewayError) return session;
  open.guard = session;
  open.request = parseObject(nestedRequest(tool, '{}')) ?? {};
  return undefined;
}

/** What a call within another is made with, as guards leave it, and the session that reads its result. */
export interface GuardedArguments {
  readonly session: GuardSession;
  /** JSON. */
  readonly args: string;
}

/** The same for a call that code makes. Undefined: nothing guards it. Never rejects. */
export async function guardNestedCall(
  guardrails: Guardrails,
  open: OpenMcpRequest,
  { server, tool }: McpHold['called'][number],
  args: string,
): Promise<OrError<GuardedArguments | undefined>> {
  const session = openToolGuards(guardrails, { ...open, tool }, server, false);
  if (session === undefined || session instanceof GatewayError) return session;
  try {
    const made = await guardArguments(session, nestedRequest(tool, args));
    if (made instanceof GatewayError) {
      session.close();
      return made;
    }
    return { session, args: JSON.stringify(objectOf(parseObject(made)?.['params'])?.['arguments'] ?? {}) };
  } catch (cause) {
    session.close();
    return new GatewayError('internal_error', { cause });
  }
}

/** Its result as guards leave it. Never rejects. */
export async function guardNestedResult(
  session: GuardSession,
  { called, args = '{}' }: McpHold,
  result: string,
): Promise<OrError<string>> {
  const request = parseObject(nestedRequest(called.at(-1)?.tool ?? '', args)) ?? {};
  try {
    const made = await guardMessage(session, `{"jsonrpc":"2.0","id":1,"result":${result}}`, request);
    return made instanceof GatewayError ? made : JSON.stringify(parseObject(made)?.['result'] ?? {});
  } catch (cause) {
    return new GatewayError('internal_error', { cause });
  }
}

function nestedRequest(tool: string, args: string): string {
  return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":${JSON.stringify(tool)},"arguments":${args}}}`;
}

/** Undefined: nothing guards this call. */
function openToolGuards(
  guardrails: Guardrails,
  { exchange, caller, metadata, tool = '' }: Pick<OpenMcpRequest, 'exchange' | 'caller' | 'metadata' | 'tool'>,
  server: string,
  isJoint: boolean,
): OrError<GuardSession | undefined> {
  const client = clientSettings(exchange.headers);
  const asked = client instanceof GatewayError ? undefined : client.guardrails;
  const about = { id: exchange.id, caller, metadata, model: toolModel(server, tool), form: 'mcp' };
  // A tool may do something that nobody can take back: it is called once its guards have spoken.
  const waits: AskedGuardrails = {
    guards: asked?.guards ?? { 'llm-input': [], 'llm-output': [], 'mcp-pre': [], 'mcp-post': [] },
    parallel: false,
  };
  return guardrails.open({ caller, metadata, tool: { server, name: tool, isJoint } }, about, waits);
}

/** The request as guards leave it, or why the tool is not called. */
async function guardArguments(session: GuardSession, body: string): Promise<OrError<string>> {
  const plan = session.hook('mcp-pre');
  if (plan === undefined) return body;
  const slots = ({ params }: JsonObject): TextSlot[] => {
    const found: TextSlot[] = [];
    slotsBelow(params, 'arguments', { kind: 'text', role: 'user' }, found);
    return found;
  };
  const verdict = await guardCode().guardInput({ session, hook: 'mcp-pre', plan, slots }, Buffer.from(body));
  if (verdict instanceof GatewayError) return verdict;
  const refused = await verdict?.pending;
  return refused ?? verdict?.body?.toString() ?? body;
}

/** A message as guards leave it; one that is no result passes. What is refused becomes an error for the same request. */
export async function guardResult(session: GuardSession, body: string, request: JsonObject): Promise<string> {
  const made = await guardMessage(session, body, request);
  if (!(made instanceof GatewayError)) return made;
  const id = parseObject(body)?.['id'] ?? null;
  const data = { code: made.code, ...made.context.beside };
  return JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32_000, message: made.message, data } });
}

async function guardMessage(session: GuardSession, body: string, request: JsonObject): Promise<OrError<string>> {
  const plan = session.hook('mcp-post');
  if (plan === undefined && session.pseudonyms.isEmpty) return body;
  // A task of the newer era has its result within.
  const slots = ({ result }: JsonObject): TextSlot[] =>
    isObject(result) ? [...resultSlots(result), ...resultSlots(objectOf(result['result']) ?? {})] : [];
  const made = await guardCode().guardBody(
    { session, plan, hook: 'mcp-post', slots, request: () => request },
    Buffer.from(body),
  );
  return made instanceof GatewayError ? made : made.toString();
}

function resultSlots(result: JsonObject): TextSlot[] {
  const found: TextSlot[] = [];
  if (isArray(result['content'])) {
    for (const part of result['content']) {
      const texts = [
        slotAt(part, 'text', { kind: 'text' }),
        slotAt(objectOf(part)?.['resource'], 'text', { kind: 'text' }),
      ];
      for (const slot of texts) if (slot !== undefined) found.push(slot);
    }
  }
  slotsBelow(result, 'structuredContent', { kind: 'text' }, found);
  return found;
}

const EVENT_END = /\r?\n\r?\n/;

/** The events of a stream that answers one call: results are guarded, all else passes, and the order stays. */
export class GuardedEvents implements GuardedStream {
  readonly #guard: (message: string) => Promise<string>;
  readonly #write: (text: string) => void;
  readonly #maxBytes: number;
  #unfinished = '';
  #last: Promise<void> = Promise.resolve();

  constructor(guard: (message: string) => Promise<string>, write: (text: string) => void, maxBytes: number) {
    this.#guard = guard;
    this.#write = write;
    this.#maxBytes = maxBytes;
  }

  /** False: an event is longer than one may be. */
  push(text: string): boolean {
    this.#unfinished += text;
    for (let end = EVENT_END.exec(this.#unfinished); end !== null; end = EVENT_END.exec(this.#unfinished)) {
      const behind = end.index + end[0].length;
      const event = this.#unfinished.slice(0, behind);
      this.#unfinished = this.#unfinished.slice(behind);
      this.#last = this.#last.then(async () => this.#write(await this.#guarded(event)));
    }
    return this.#unfinished.length <= this.#maxBytes;
  }

  /** When all that came is written. */
  async end(): Promise<void> {
    await this.#last;
    if (this.#unfinished !== '') this.#write(this.#unfinished);
  }

  async #guarded(event: string): Promise<string> {
    const lines = event.split(/\r?\n/);
    const data = lines.filter((line) => line.startsWith('data:')).map((line) => line.slice('data:'.length).trimStart());
    const message = data.join('\n');
    if (!message.includes('"result"')) return event;
    const made = await this.#guard(message);
    if (made === message) return event;
    const others = lines.filter((line) => line !== '' && !line.startsWith('data:'));
    return `${[...others, `data: ${made}`].join('\n')}\n\n`;
  }
}
