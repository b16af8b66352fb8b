import { type JsonObject, objectOf, parseObject } from '../codec/json-value.ts';
import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import { guardCode } from '../guardrails/guard-code.ts';
import type { Guardrails } from '../guardrails/guardrails.ts';
import type { GuardSession } from '../guardrails/session.ts';
import { toolModel } from '../limits/tool-rules.ts';
import { type AskedGuardrails, clientSettings } from '../policy/client-settings.ts';
import type { McpHold } from '../threads/mcp-messages.ts';
import { askedWords, toldWords } from './mcp-words.ts';
import type { OpenMcpRequest } from './open-mcp-request.ts';

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
  const session = openToolGuards(guardrails, open, { server, name: tool, isJoint: false });
  if (session === undefined || session instanceof GatewayError) return session;
  try {
    const made = await guardAsked(session, nestedRequest(tool, args));
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
    const made = await guardTold(session, `{"jsonrpc":"2.0","id":1,"result":${result}}`, request);
    return made instanceof GatewayError ? made : JSON.stringify(parseObject(made)?.['result'] ?? {});
  } catch (cause) {
    return new GatewayError('internal_error', { cause });
  }
}

/** A call, as guards are told of it where it is not a message of its own. */
export function nestedRequest(tool: string, args: string): string {
  return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":${JSON.stringify(tool)},"arguments":${args}}}`;
}

/** `tool`: empty where it is about no tool, but the server itself. Undefined: nothing guards it. */
export function openToolGuards(
  guardrails: Guardrails,
  { exchange, caller, metadata }: Pick<OpenMcpRequest, 'exchange' | 'caller' | 'metadata'>,
  tool: { readonly server: string; readonly name: string; readonly isJoint: boolean },
): OrError<GuardSession | undefined> {
  const client = clientSettings(exchange.headers);
  const asked = client instanceof GatewayError ? undefined : client.guardrails;
  const about = { id: exchange.id, caller, metadata, model: toolModel(tool.server, tool.name), form: 'mcp' };
  // A tool may do something that nobody can take back: it is called once its guards have spoken.
  const waits: AskedGuardrails = {
    guards: asked?.guards ?? { 'llm-input': [], 'llm-output': [], 'mcp-pre': [], 'mcp-post': [] },
    parallel: false,
  };
  return guardrails.open({ caller, metadata, tool }, about, waits);
}

/** A request as guards leave it, or why it is not sent. */
export async function guardAsked(session: GuardSession, body: string): Promise<OrError<string>> {
  const plan = session.hook('mcp-pre');
  if (plan === undefined) return body;
  const guarding = { session, hook: 'mcp-pre', plan, slots: askedWords } as const;
  const verdict = await guardCode().guardInput(guarding, Buffer.from(body));
  if (verdict instanceof GatewayError) return verdict;
  const refused = await verdict?.pending;
  return refused ?? verdict?.body?.toString() ?? body;
}

/** A message of a server as guards leave it, or why nobody gets it. */
export async function guardTold(session: GuardSession, body: string, request: JsonObject): Promise<OrError<string>> {
  const plan = session.hook('mcp-post');
  if (plan === undefined && session.pseudonyms.isEmpty) return body;
  const made = await guardCode().guardBody(
    { session, plan, hook: 'mcp-post', slots: toldWords, request: () => request },
    Buffer.from(body),
  );
  return made instanceof GatewayError ? made : made.toString();
}
