/** What a thread that runs code of models (code-thread/) hears and says. One run at a time. */
export type ToCodeThread =
  | { type: 'run'; code: string; bounds: CodeBounds }
  /** What became of a call; `json` is its value. */
  | { type: 'answer'; call: number; json: string }
  | { type: 'answer'; call: number; error: string };

export type FromCodeThread =
  | { type: 'call'; call: number; tool: string; args: string }
  | { type: 'over'; outcome: CodeOutcome };

export interface CodeBounds {
  /** Computing alone, waits for calls not counted. */
  readonly cpuMs: number;
  readonly maxMemoryBytes: number;
  readonly maxCalls: number;
  /** The bound of what it gives and prints together, in characters. */
  readonly maxOutput: number;
}

export interface CodeOutcome {
  /** JSON of what the code returned; absent where it failed. */
  readonly json?: string;
  /** Why there is none, in words for whoever wrote the code. */
  readonly error?: string;
  /** What it printed. */
  readonly printed: readonly string[];
}
