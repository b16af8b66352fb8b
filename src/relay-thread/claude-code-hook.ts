import { promisify } from 'node:util';
import { isObject, type JsonObject, parseObject, stringOf } from '../codec/json-value.ts';
import { GatewayError } from '../core/errors.ts';
import type { Exchange, OrError } from '../core/exchange.ts';
import { slotAt, slotsBelow, type TextSlot } from '../dialects/guarded-form.ts';
import type { Route } from '../edge/routes.ts';
import { guardCode } from '../guardrails/guard-code.ts';
import type { GuardSession } from '../guardrails/session.ts';
import type { PipelineOptions } from '../pipeline/pipeline-options.ts';
import { clientSettings, unknownGuardrail } from '../policy/client-settings.ts';
import { requestMetadata } from '../policy/metadata.ts';
import type { RefusalRecords } from './refusal-records.ts';

export interface ClaudeCodeHookOptions {
  readonly pipeline: PipelineOptions;
  readonly records: RefusalRecords;
  readonly errorBody: Route['errorBody'];
}

const nextTurn = promisify(setImmediate);

/** Where tools of Claude Code itself stand that belong to no MCP server. */
const OWN_TOOLS = 'claude-code';
/** How it names tools of MCP servers. */
const MCP_TOOL = /^mcp__(.+?)__(.+)$/;

/**
 * POST /hooks/claude-code: guards read what Claude Code is about to do, and answer in the words of its hooks
 * (https://code.claude.com/docs/en/hooks). Prompts are held against rules of input, tools against those of MCP tools.
 */
export function claudeCodeHook({ pipeline, records, errorBody }: ClaudeCodeHookOptions): Route {
  const refuse = (exchange: Exchange, error: GatewayError): void => {
    exchange.refuse(error);
    records.refused(exchange, error);
    exchange.finish();
  };
  return {
    pattern: '/hooks/claude-code',
    method: 'POST',
    needsKey: true,
    body: 'whole',
    errorBody,
    handle(exchange) {
      const payload = parseObject(exchange.body.toString());
      const session = payload ? openSession(exchange, payload, pipeline) : new GatewayError('invalid_json');
      if (session instanceof GatewayError || payload === undefined) {
        refuse(exchange, session instanceof GatewayError ? session : new GatewayError('invalid_json'));
        return;
      }
      const told = session === undefined ? Promise.resolve({}) : answerOf(session, payload, exchange.body);
      told.then(
        async (answer) => {
          // In the turn of its request the addon would not go on to the next one of the connection.
          await nextTurn();
          const headers = ['content-type', 'application/json'];
          exchange.pushOwnHeaders(headers, 0);
          exchange.sink.start(200, headers);
          exchange.sink.end(Buffer.from(JSON.stringify(answer)));
          records.answered(exchange, 200, session?.json);
          session?.close();
          exchange.finish();
        },
        (cause) => refuse(exchange, new GatewayError('internal_error', { cause })),
      );
    },
  };
}

function openSession(
  exchange: Exchange,
  payload: JsonObject,
  { snapshot }: PipelineOptions,
): OrError<GuardSession | undefined> {
  const { guardrails, callers } = snapshot();
  const client = clientSettings(exchange.headers);
  if (client instanceof GatewayError) return client;
  if (guardrails === undefined) {
    const named = client.guardrails && Object.values(client.guardrails.guards).flat()[0];
    return named === undefined ? undefined : unknownGuardrail(named);
  }
  const caller = callers.of(exchange.principal);
  const metadata = requestMetadata(client.metadata, caller);
  const tool = stringOf(payload['tool_name']);
  const [, server = OWN_TOOLS, name = tool ?? ''] = MCP_TOOL.exec(tool ?? '') ?? [];
  const what =
    tool === undefined ? { model: { id: OWN_TOOLS, slug: undefined } } : { tool: { server, name, isJoint: false } };
  const model = tool === undefined ? OWN_TOOLS : `mcp:${server}/${name}`;
  const about = { id: exchange.id, caller, metadata, model, form: 'claude-code' };
  const none = { 'llm-input': [], 'llm-output': [], 'mcp-pre': [], 'mcp-post': [] };
  return guardrails.open({ caller, metadata, ...what }, about, {
    guards: client.guardrails?.guards ?? none,
    parallel: false,
  });
}

/** Whatever has no guards, and events that are not known, are left to Claude Code. */
async function answerOf(session: GuardSession, payload: JsonObject, body: Buffer): Promise<object> {
  const event = payload['hook_event_name'];
  if (event === 'UserPromptSubmit') return promptAnswer(await inputOf(session, 'llm-input', body, 'prompt'));
  if (event === 'PreToolUse') return toolAnswer(await inputOf(session, 'mcp-pre', body, 'tool_input'));
  if (event === 'PostToolUse') return resultAnswer(session, payload, body);
  return {};
}

/** The payload as guards leave it, or why they refuse it. */
async function inputOf(
  session: GuardSession,
  hook: 'llm-input' | 'mcp-pre',
  body: Buffer,
  key: string,
): Promise<OrError<JsonObject | undefined>> {
  const plan = session.hook(hook);
  if (plan === undefined) return undefined;
  const verdict = await guardCode().guardInput(
    { session, hook, plan, slots: (payload) => slotsAt(payload, key) },
    body,
  );
  if (verdict instanceof GatewayError) return verdict;
  const refused = await verdict?.pending;
  if (refused) return refused;
  return verdict?.body && parseObject(verdict.body.toString());
}

/** A prompt cannot be changed by a hook: one that would have to be is stopped. */
function promptAnswer(made: OrError<JsonObject | undefined>): object {
  if (made instanceof GatewayError) return { decision: 'block', reason: reasonOf(made) };
  if (made === undefined) return {};
  return { decision: 'block', reason: 'A guardrail would have to change this prompt. Leave out what it looks for.' };
}

function toolAnswer(made: OrError<JsonObject | undefined>): object {
  const hookEventName = 'PreToolUse';
  if (made instanceof GatewayError) {
    const permissionDecisionReason = reasonOf(made);
    return { hookSpecificOutput: { hookEventName, permissionDecision: 'deny', permissionDecisionReason } };
  }
  if (made === undefined) return {};
  // Whether the tool may run at all is still for its user to say.
  return { hookSpecificOutput: { hookEventName, permissionDecision: 'ask', updatedInput: made['tool_input'] } };
}

async function resultAnswer(session: GuardSession, payload: JsonObject, body: Buffer): Promise<object> {
  const plan = session.hook('mcp-post');
  if (plan === undefined) return {};
  const slots = (each: JsonObject): TextSlot[] => slotsAt(each, 'tool_response');
  const made = await guardCode().guardBody({ session, plan, hook: 'mcp-post', slots, request: () => payload }, body);
  const hookEventName = 'PostToolUse';
  if (made instanceof GatewayError) {
    const reason = reasonOf(made);
    return { decision: 'block', reason, hookSpecificOutput: { hookEventName, updatedToolOutput: reason } };
  }
  if (made === body) return {};
  const updatedToolOutput = parseObject(made.toString())?.['tool_response'];
  return { hookSpecificOutput: { hookEventName, updatedToolOutput } };
}

function slotsAt(payload: JsonObject, key: string): TextSlot[] {
  if (!isObject(payload[key])) {
    const slot = slotAt(payload, key, { kind: 'text', role: 'user' });
    if (slot !== undefined) return [slot];
  }
  const found: TextSlot[] = [];
  slotsBelow(payload, key, { kind: 'text', role: 'user' }, found);
  return found;
}

function reasonOf({ context: { beside }, message }: GatewayError): string {
  return stringOf(beside?.['message']) ?? message;
}
