import { readFile } from 'node:fs/promises';
import variant from '@jitl/quickjs-wasmfile-release-sync';
import {
  newQuickJSWASMModuleFromVariant,
  newVariant,
  type QuickJSContext,
  type QuickJSDeferredPromise,
  type QuickJSHandle,
  type QuickJSRuntime,
  type QuickJSSyncVariant,
  type QuickJSWASMModule,
} from 'quickjs-emscripten-core';
import type { CodeBounds, CodeOutcome } from '../threads/code-messages.ts';

/** Deeper recursion ends with an error of the code instead of one of WebAssembly. */
const MAX_STACK_BYTES = 262_144;

/**
 * What the code finds besides the language itself. It has no way out but `__call` and `__print`, which it does not see
 * under these names: there is no file, no network, no timer and no module.
 */
const PRELUDE = `(() => {
  const { __call: call, __print: print } = globalThis;
  delete globalThis.__call;
  delete globalThis.__print;
  const { parse, stringify } = JSON;
  const asText = (value) => (typeof value === 'string' ? value : stringify(value) ?? String(value));
  const callTool = async (name, args) => parse(await call(String(name), stringify(args ?? {})));
  const say = (...values) => print(values.map(asText).join(' '));
  globalThis.callTool = callTool;
  globalThis.tools = new Proxy(Object.freeze({}), {
    get: (_target, name) => (typeof name === 'string' && name !== 'then' ? (args) => callTool(name, args) : undefined),
  });
  globalThis.console = { log: say, info: say, warn: say, error: say, debug: say };
  return (value) => stringify(value) ?? 'null';
})()`;

/** What of it is used: the types of Node do not name it. */
declare const WebAssembly: {
  compile(bytes: Uint8Array): Promise<object>;
  readonly Memory: new (bounds: { readonly initial: number; readonly maximum: number }) => object;
};
type Compiled = Awaited<ReturnType<typeof WebAssembly.compile>>;

/** The package's types are those of its CommonJS half, in which the default is one level further down. */
const SYNC_VARIANT = variant as unknown as QuickJSSyncVariant;

/** Compiled once; each run has an instance and a memory of its own. */
export async function compileSandbox(): Promise<Compiled> {
  const path = import.meta.resolve('@jitl/quickjs-wasmfile-release-sync/wasm');
  return WebAssembly.compile(await readFile(new URL(path)));
}

const PAGE_BYTES = 65_536;
/** What the interpreter is built to begin with. */
const FIRST_PAGES = 256;

/**
 * QuickJS counts small allocations only, so what bounds the code is the memory of its instance.
 * An instance is not disposed of but dropped whole: code that was ended amidst its work leaves nothing in order.
 */
function instanceOf(wasmModule: Compiled, maxMemoryBytes: number): Promise<QuickJSWASMModule> {
  const maximum = Math.max(FIRST_PAGES, Math.floor(maxMemoryBytes / PAGE_BYTES));
  const wasmMemory = new WebAssembly.Memory({ initial: FIRST_PAGES, maximum });
  return newQuickJSWASMModuleFromVariant(newVariant(SYNC_VARIANT, { wasmModule, wasmMemory }));
}

export interface CodeRunOptions {
  readonly bounds: CodeBounds;
  call(call: number, tool: string, args: string): void;
  /** Once. */
  onOver(outcome: CodeOutcome): void;
}

/** One piece of code in an interpreter of its own: it shares nothing with any other. */
export class CodeRun {
  readonly #options: CodeRunOptions;
  readonly #runtime: QuickJSRuntime;
  readonly #context: QuickJSContext;
  readonly #waiting = new Map<number, { readonly promise: QuickJSDeferredPromise; readonly length: number }>();
  /** Characters that the calls that wait were made with: the thread of MCP holds all of them. */
  #askedLength = 0;
  readonly #printed: string[] = [];
  #printedLength = 0;
  #calls = 0;
  #usedMs = 0;
  #sliceFrom = 0;
  #fault: string | undefined;
  #over = false;

  static async make(module: Compiled, options: CodeRunOptions): Promise<CodeRun> {
    return new CodeRun(await instanceOf(module, options.bounds.maxMemoryBytes), options);
  }

  private constructor(module: QuickJSWASMModule, options: CodeRunOptions) {
    this.#options = options;
    this.#runtime = module.newRuntime();
    this.#runtime.setMaxStackSize(MAX_STACK_BYTES);
    this.#runtime.setInterruptHandler(() => this.#isSpent());
    this.#context = this.#runtime.newContext();
  }

  begin(code: string): void {
    this.#slice(() => {
      const context = this.#context;
      this.#give('__call', (tool, args) => this.#call(context.getString(tool), context.getString(args)));
      this.#give('__print', (text) => this.#print(context.getString(text)));
      const asJson = context.unwrapResult(context.evalCode(PRELUDE, 'sandbox.js'));
      const evaluated = context.evalCode(`(async () => {\n${code}\n})()`, 'code.js');
      if (evaluated.error) {
        this.#fail(this.#textOf(evaluated.error));
        return;
      }
      const done = context.resolvePromise(evaluated.value);
      done.then(
        (result) => this.#slice(() => this.#finish(result, asJson)),
        (error: unknown) => this.#end({ error: String(error) }),
      );
    });
  }

  answer(call: number, answer: { readonly json: string } | { readonly error: string }): void {
    const waiting = this.#waiting.get(call);
    if (!waiting || this.#over) return;
    this.#waiting.delete(call);
    this.#askedLength -= waiting.length;
    this.#slice(() => {
      const value = 'json' in answer ? this.#context.newString(answer.json) : this.#context.newError(answer.error);
      if ('json' in answer) waiting.promise.resolve(value);
      else waiting.promise.reject(value);
      value.dispose();
    });
  }

  #give(name: string, act: (...handles: QuickJSHandle[]) => QuickJSHandle | undefined): void {
    const made = this.#context.newFunction(name, (...handles) => act(...handles) ?? this.#context.undefined);
    this.#context.setProp(this.#context.global, name, made);
    made.dispose();
  }

  #call(tool: string, args: string): QuickJSHandle {
    const promise = this.#context.newPromise();
    const { maxCalls } = this.#options.bounds;
    this.#calls += 1;
    if (this.#calls > maxCalls) {
      const error = this.#context.newError(`The code makes more calls than it may (mcp.max_code_calls: ${maxCalls}).`);
      promise.reject(error);
      error.dispose();
      return promise.handle;
    }
    const { maxOutput } = this.#options.bounds;
    const length = tool.length + args.length;
    if (this.#askedLength + length > maxOutput) {
      const what = 'The arguments of the calls under way are larger than a message may be';
      const error = this.#context.newError(`${what} (mcp.max_message_bytes: ${maxOutput}).`);
      promise.reject(error);
      error.dispose();
      return promise.handle;
    }
    this.#askedLength += length;
    const call = this.#calls;
    this.#waiting.set(call, { promise, length });
    this.#options.call(call, tool, args);
    return promise.handle;
  }

  #print(text: string): undefined {
    const room = this.#options.bounds.maxOutput - this.#printedLength;
    if (room <= 0) return;
    this.#printed.push(text.slice(0, room));
    this.#printedLength += Math.min(text.length, room);
  }

  /** Runs something inside, and all that became possible by it, and looks whether the code is over. */
  #slice(act: () => void): void {
    if (this.#over) return;
    this.#sliceFrom = performance.now();
    try {
      act();
      if (this.#over) return;
      const jobs = this.#runtime.executePendingJobs();
      if (jobs.error) this.#fail(this.#textOf(jobs.error));
    } catch (error) {
      // The interpreter itself failed, such as for memory of its own.
      this.#end({ error: this.#fault ?? `The code broke its interpreter: ${String(error)}` });
    } finally {
      this.#usedMs += performance.now() - this.#sliceFrom;
    }
    if (this.#over) return;
    if (this.#fault !== undefined) this.#fail(this.#fault);
    else if (this.#waiting.size === 0 && !this.#runtime.hasPendingJob()) this.#wonder();
  }

  /** Nothing is under way. The end of the code is told a turn later; without it nothing would ever come. */
  #wonder(): void {
    setImmediate(() => {
      if (!this.#over && this.#waiting.size === 0) this.#fail('The code waits for something that never comes.');
    });
  }

  #isSpent(): boolean {
    const { cpuMs } = this.#options.bounds;
    if (this.#usedMs + performance.now() - this.#sliceFrom < cpuMs) return false;
    this.#fault ??= `The code computes longer than it may (mcp.code_cpu_ms: ${cpuMs}).`;
    return true;
  }

  #finish(result: Awaited<ReturnType<QuickJSContext['resolvePromise']>>, asJson: QuickJSHandle): void {
    if (result.error) {
      this.#fail(this.#textOf(result.error));
      return;
    }
    const text = this.#context.callFunction(asJson, this.#context.undefined, result.value);
    if (text.error) {
      this.#fail(this.#textOf(text.error));
      return;
    }
    const json = this.#context.getString(text.value);
    const { maxOutput } = this.#options.bounds;
    if (json.length <= maxOutput) this.#end({ json });
    else this.#fail(`The code gives more than it may (mcp.max_message_bytes: ${maxOutput}); return less.`);
  }

  #fail(error: string): void {
    this.#end({ error: this.#fault ?? error });
  }

  /** The name and message of what was thrown, and where. */
  #textOf(thrown: QuickJSHandle): string {
    const { maxMemoryBytes } = this.#options.bounds;
    const value: unknown = this.#context.dump(thrown);
    if (typeof value !== 'object' || value === null) return String(value).slice(0, 2_000);
    const { name, message, stack } = value as Record<string, unknown>;
    if (message === 'out of memory')
      return `The code needs more memory than it may (mcp.max_code_memory_bytes: ${maxMemoryBytes}).`;
    const line = /code\.js:(\d+)/.exec(String(stack))?.[1];
    // The first line is the one around the code.
    const where = line === undefined ? '' : ` (line ${Number(line) - 1})`;
    return `${String(name ?? 'Error')}: ${String(message ?? '')}${where}`.slice(0, 2_000);
  }

  #end(outcome: Pick<CodeOutcome, 'json' | 'error'>): void {
    if (this.#over) return;
    this.#over = true;
    this.#waiting.clear();
    this.#options.onOver({ ...outcome, printed: this.#printed });
  }
}
