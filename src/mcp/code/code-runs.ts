import { Worker } from 'node:worker_threads';
import type { McpSettings } from '../../config/server/mcp.ts';
import type { CodeOutcome, FromCodeThread, ToCodeThread } from '../../threads/code-messages.ts';
import type { Call } from '../upstream/peer.ts';

export interface CodeRunsOptions {
  /** The entry of the thread that runs code (code-thread/); it is begun with the first run. */
  readonly entry: URL;
  settings(): McpSettings;
}

/** A call that code makes: `value` is what the code gets. */
export interface CodeCall {
  readonly value: Promise<unknown>;
  cancel: Call['cancel'];
}

/** A thread that nobody uses is kept so long for the next. */
const IDLE_MS = 60_000;
/** What it holds besides the memory of the code itself. */
const THREAD_LIMITS = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 8 };
const NOTHING_PRINTED: readonly string[] = [];

/** Code of models, each piece on a thread of its own. At most `mcp.max_code_runs` at once; more are refused. */
export class CodeRuns {
  readonly #options: CodeRunsOptions;
  readonly #idle: { readonly worker: Worker; readonly timer: NodeJS.Timeout }[] = [];
  readonly #open = new Set<Run>();

  constructor(options: CodeRunsOptions) {
    this.#options = options;
  }

  /** `call` may throw: the code gets an error. The outcome comes within `mcp.code_ms`, whatever the code does. */
  begin(code: string, call: (tool: string, args: string) => CodeCall): { over: Promise<CodeOutcome>; cancel(): void } {
    const settings = this.#options.settings();
    const { maxCodeRuns } = settings;
    if (this.#open.size >= maxCodeRuns) {
      const error = `Too much code runs at once (mcp.max_code_runs: ${maxCodeRuns}); try again later.`;
      return { over: Promise.resolve({ error, printed: NOTHING_PRINTED }), cancel: () => undefined };
    }
    const run = new Run(this.#worker(), settings, call, (reusable) => {
      this.#open.delete(run);
      if (reusable) this.#rest(run.worker);
      else void run.worker.terminate();
    });
    this.#open.add(run);
    run.begin(code);
    return { over: run.over, cancel: () => run.stop('The client left.') };
  }

  close(): void {
    for (const run of this.#open) run.stop('The gateway stops.');
    for (const { worker, timer } of this.#idle.splice(0)) {
      clearTimeout(timer);
      void worker.terminate();
    }
  }

  #worker(): Worker {
    const idle = this.#idle.pop();
    if (idle) {
      clearTimeout(idle.timer);
      return idle.worker;
    }
    const worker = new Worker(this.#options.entry, { name: 'code', resourceLimits: THREAD_LIMITS });
    // Nobody else hears of a thread that rests; the next run would find that it ended.
    worker.on('error', () => undefined);
    return worker;
  }

  #rest(worker: Worker): void {
    const timer = setTimeout(() => {
      this.#idle.splice(
        this.#idle.findIndex((each) => each.worker === worker),
        1,
      );
      void worker.terminate();
    }, IDLE_MS);
    timer.unref();
    this.#idle.push({ worker, timer });
  }
}

class Run {
  readonly worker: Worker;
  readonly over: Promise<CodeOutcome>;
  readonly #settings: McpSettings;
  readonly #call: (tool: string, args: string) => CodeCall;
  readonly #onOver: (reusable: boolean) => void;
  readonly #calls = new Set<CodeCall>();
  readonly #timer: NodeJS.Timeout;
  #resolve: (outcome: CodeOutcome) => void = () => undefined;
  #ended = false;

  constructor(
    worker: Worker,
    settings: McpSettings,
    call: (tool: string, args: string) => CodeCall,
    onOver: (reusable: boolean) => void,
  ) {
    this.worker = worker;
    this.#settings = settings;
    this.#call = call;
    this.#onOver = onOver;
    this.over = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    worker.on('message', this.#onMessage);
    worker.on('error', this.#onError);
    worker.on('exit', this.#onExit);
    const { codeMs } = settings;
    this.#timer = setTimeout(() => this.stop(`The code takes longer than it may (mcp.code_ms: ${codeMs}).`), codeMs);
  }

  readonly #onMessage = (message: FromCodeThread): void => {
    if (message.type === 'call') this.#make(message.call, message.tool, message.args);
    else this.#end(message.outcome, true);
  };
  readonly #onError = (error: Error): void => this.stop(`The code broke its thread: ${error.message}`);
  readonly #onExit = (): void => this.stop('The thread of the code ended.');

  begin(code: string): void {
    const { codeCpuMs: cpuMs, maxCodeMemoryBytes: maxMemoryBytes, maxCodeCalls: maxCalls } = this.#settings;
    const bounds = { cpuMs, maxMemoryBytes, maxCalls, maxOutput: this.#settings.maxMessageBytes };
    this.#post({ type: 'run', code, bounds });
  }

  /** Ends it from outside; its thread goes with it. */
  stop(error: string): void {
    this.#end({ error, printed: NOTHING_PRINTED }, false);
  }

  #make(number: number, tool: string, args: string): void {
    if (this.#ended) return;
    let made: CodeCall;
    try {
      made = this.#call(tool, args);
    } catch (error) {
      this.#post({ type: 'answer', call: number, error: messageOf(error) });
      return;
    }
    this.#calls.add(made);
    made.value.then(
      (value) => this.#answer(made, { type: 'answer', call: number, json: JSON.stringify(value) ?? 'null' }),
      (error: unknown) => this.#answer(made, { type: 'answer', call: number, error: messageOf(error) }),
    );
  }

  #answer(made: CodeCall, message: ToCodeThread): void {
    if (this.#calls.delete(made)) this.#post(message);
  }

  #end(outcome: CodeOutcome, reusable: boolean): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    this.worker.off('message', this.#onMessage);
    this.worker.off('error', this.#onError);
    this.worker.off('exit', this.#onExit);
    // What it began and did not wait for.
    for (const call of this.#calls) call.cancel();
    this.#calls.clear();
    this.#resolve(outcome);
    this.#onOver(reusable);
  }

  #post(message: ToCodeThread): void {
    this.worker.postMessage(message);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
