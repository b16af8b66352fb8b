import { isArray, isObject, type JsonObject, objectOf, parseObject, stringOf } from '../../codec/json-value.ts';
import type { CodeOutcome } from '../../threads/code-messages.ts';
import type { CodeCall, CodeRuns } from '../code/code-runs.ts';
import { INVALID_PARAMS, RpcError } from '../protocol/json-rpc.ts';
import { withoutTasks } from '../protocol/tasks.ts';
import { lateCall, throwIfCancelled } from '../upstream/late-call.ts';
import type { Call, CallHooks, Listening, ServerInfo, Wanted } from '../upstream/peer.ts';
import type { JointServer } from './joint-server.ts';
import type { CallContext, Served, ServerHealth } from './served.ts';
import { signatureOf, type ToolIndex } from './tool-index.ts';
import { unknownTool } from './tool-policy.ts';

export interface FinderOptions {
  /** Whose tools are found. */
  readonly joint: JointServer;
  readonly mode: 'search' | 'code';
  readonly index: ToolIndex;
  readonly runs: CodeRuns;
}

const DEFAULT_FOUND = 10;
const MAX_FOUND = 50;
/** The characters of each description in what is found; `describe_tool` gives it whole. */
const MAX_SUMMARY = 300;

const SEARCH_TOOLS = {
  name: 'search_tools',
  title: 'Search tools',
  description:
    'Finds tools by words of what they do. Gives name, description and arguments of each, the best first. Search before you say that something cannot be done.',
  inputSchema: {
    type: 'object',
    properties: {
      query: { type: 'string', description: 'Words of what the tool should do, such as "create issue".' },
      limit: { type: 'integer', minimum: 1, maximum: MAX_FOUND, description: `Default: ${DEFAULT_FOUND}.` },
    },
    required: ['query'],
  },
  annotations: { readOnlyHint: true, openWorldHint: false },
};

const DESCRIBE_TOOL = {
  name: 'describe_tool',
  title: 'Describe a tool',
  description: 'Gives the whole description of one tool, with the JSON schema of its arguments and of its result.',
  inputSchema: {
    type: 'object',
    properties: { name: { type: 'string', description: 'As search_tools names it.' } },
    required: ['name'],
  },
  annotations: { readOnlyHint: true, openWorldHint: false },
};

const CALL_TOOL = {
  name: 'call_tool',
  title: 'Call a tool',
  description: 'Calls a tool that search_tools found, and gives its result.',
  inputSchema: {
    type: 'object',
    properties: {
      name: { type: 'string', description: 'As search_tools names it.' },
      arguments: { type: 'object', description: 'As the tool takes them.' },
    },
    required: ['name'],
  },
};

const RUN_CODE = {
  name: 'run_code',
  title: 'Run code',
  description: `Runs JavaScript that calls tools, so that what they give need not pass through you. The code is the body of an async function:
- \`await tools.NAME({...})\`, or \`await callTool("NAME", {...})\`, calls a tool that search_tools found. It gives the tool's structured result, or else its text, parsed where it is JSON; it throws where the tool fails.
- \`return\` gives a value that is told as JSON; \`console.log\` tells more.
There are no modules, files, network or timers. Call tools beside each other with Promise.all, and return only what you need.`,
  inputSchema: {
    type: 'object',
    properties: { code: { type: 'string', description: 'JavaScript.' } },
    required: ['code'],
  },
};

const TOOLS = {
  search: [SEARCH_TOOLS, DESCRIBE_TOOL, CALL_TOOL],
  code: [SEARCH_TOOLS, DESCRIBE_TOOL, RUN_CODE],
} as const;

/**
 * A joint server of which clients see three tools instead of all, by which they find and call the others: hundreds of
 * tools cost a model no more than three. Each call goes the way of any other, with the same checks.
 */
export class FinderServer implements Served {
  readonly name: string;
  readonly description: string;
  readonly kind = 'virtual';
  readonly #options: FinderOptions;
  readonly #joint: JointServer;

  constructor(options: FinderOptions) {
    this.#options = options;
    this.#joint = options.joint;
    this.name = options.joint.name;
    this.description = options.joint.description;
  }

  mayUse(context: Pick<CallContext, 'subjects'>): boolean {
    return this.#joint.mayUse(context);
  }

  async info(): Promise<ServerInfo> {
    const { capabilities, ...info } = await this.#joint.info();
    return { ...info, capabilities: { ...capabilities, tools: {} } };
  }

  call(context: CallContext, method: string, params: JsonObject, hooks: CallHooks): Call {
    if (method === 'tools/list') return lateCall(async () => done({ tools: TOOLS[this.#options.mode] }));
    if (method !== 'tools/call') return this.#joint.call(context, method, params, hooks);
    const args = objectOf(params['arguments']) ?? {};
    const { mode } = this.#options;
    switch (stringOf(params['name'])) {
      case SEARCH_TOOLS.name:
        return lateCall(async () => done(await this.#search(context, args)));
      case DESCRIBE_TOOL.name:
        return lateCall(async () => done(await this.#describe(context, args)));
      case CALL_TOOL.name:
        if (mode === 'search') return this.#call(context, params, args, hooks);
        break;
      case RUN_CODE.name:
        if (mode === 'code') return this.#run(context, args, hooks);
    }
    const name = stringOf(params['name']) ?? '';
    return lateCall(() => Promise.reject(unknownTool(name)));
  }

  tools(): Promise<readonly JsonObject[]> {
    return Promise.resolve(TOOLS[this.#options.mode]);
  }

  meant(params: JsonObject): string | undefined {
    const calls = this.#options.mode === 'search' && params['name'] === CALL_TOOL.name;
    return calls ? stringOf(objectOf(params['arguments'])?.['name']) : undefined;
  }

  toolOfTask(params: JsonObject, context: Pick<CallContext, 'subjects' | 'scope'>): string | undefined {
    return this.#joint.toolOfTask(params, context);
  }

  /** What it finds has prices of its own. */
  priceOf(): undefined {}

  listen(context: CallContext, wanted: Wanted, notify: CallHooks['notify']): Listening {
    return this.#joint.listen(context, { ...wanted, tools: false }, notify);
  }

  health(): ServerHealth {
    return this.#joint.health();
  }

  close(): void {}

  async #search(context: CallContext, args: JsonObject): Promise<JsonObject> {
    await this.#hold(context, SEARCH_TOOLS.name, args);
    const query = textIn(args, 'query');
    const { limit } = args;
    const wanted = typeof limit === 'number' && limit >= 1 ? Math.min(Math.floor(limit), MAX_FOUND) : DEFAULT_FOUND;
    const tools = await this.#joint.tools(context);
    const found = query.trim() === '' ? tools.slice(0, wanted) : await this.#options.index.search(tools, query, wanted);
    const told = found.map((tool) => ({
      name: tool['name'],
      description: (stringOf(tool['description']) ?? '').slice(0, MAX_SUMMARY),
      arguments: signatureOf(tool),
    }));
    return resultOf({ tools: told, total: tools.length });
  }

  async #describe(context: CallContext, args: JsonObject): Promise<JsonObject> {
    await this.#hold(context, DESCRIBE_TOOL.name, args);
    const name = textIn(args, 'name');
    const tools = await this.#joint.tools(context);
    const found = tools.find((tool) => tool['name'] === name);
    if (!found) throw unknownTool(name);
    return resultOf(found);
  }

  #call(context: CallContext, params: JsonObject, args: JsonObject, hooks: CallHooks): Call {
    return lateCall(async () => {
      const name = textIn(args, 'name');
      // With all that belongs to the request, such as answers to a question of the tool.
      const inner = { ...params, name, arguments: objectOf(args['arguments']) ?? {} };
      return this.#joint.call(context, 'tools/call', inner, hooks);
    });
  }

  #run(context: CallContext, args: JsonObject, hooks: CallHooks): Call {
    return lateCall(async (cancelled) => {
      const code = textIn(args, 'code');
      await this.#hold(context, RUN_CODE.name, args);
      throwIfCancelled(cancelled);
      const { over, cancel } = this.#options.runs.begin(code, (tool, written) => {
        const inner = { name: tool, arguments: parseObject(written) ?? {} };
        // Code waits for a result, and asks for no task.
        const client = { ...context.client, capabilities: withoutTasks(context.client.capabilities) };
        const nested = { ...context, client, holder: context.holder.nested, askedAs: [] };
        const call = this.#joint.call(nested, 'tools/call', inner, { ask: hooks.ask, notify: () => undefined });
        return { value: call.result.then(codeValueOf), cancel: call.cancel } satisfies CodeCall;
      });
      return { result: over.then(toldOutcome), cancel };
    });
  }

  async #hold({ holder, askedAs = [] }: CallContext, tool: string, args: JsonObject): Promise<void> {
    await holder.hold({ called: [...askedAs, { server: this.name, tool }], costNanoUsd: undefined, args });
  }
}

function done(result: JsonObject): Call {
  return { result: Promise.resolve(result), cancel: () => undefined };
}

function textIn(args: JsonObject, name: string): string {
  const text = stringOf(args[name]);
  if (text === undefined) throw new RpcError(INVALID_PARAMS, `The argument \`${name}\` must be text.`);
  return text;
}

function resultOf(value: JsonObject): JsonObject {
  return { content: [{ type: 'text', text: JSON.stringify(value) }], structuredContent: value };
}

function textsIn({ content }: JsonObject): string[] {
  return (isArray(content) ? content : []).flatMap((each) => stringOf(objectOf(each)?.['text']) ?? []);
}

/** What code gets of a result. Throws what the tool says where it failed. */
function codeValueOf(result: JsonObject): unknown {
  if (result['resultType'] === 'input_required') {
    throw new Error('This tool asks the user something, which code cannot; call it by itself.');
  }
  const texts = textsIn(result);
  const text = texts.join('\n');
  if (result['isError'] === true) throw new Error(text === '' ? 'The tool failed.' : text);
  const { structuredContent, content } = result;
  if (isObject(structuredContent)) return structuredContent;
  if (isArray(content) && content.length > texts.length) return content;
  try {
    return JSON.parse(text);
  } catch {
    // Most tools answer in words.
    return text;
  }
}

function toldOutcome({ json, error, printed }: CodeOutcome): JsonObject {
  const lines = printed.length > 0 ? [{ type: 'text', text: printed.join('\n') }] : [];
  if (json === undefined)
    return { content: [...lines, { type: 'text', text: error ?? 'The code failed.' }], isError: true };
  return { content: [...lines, { type: 'text', text: json }], structuredContent: { result: JSON.parse(json) } };
}
