import { type ChildProcess, spawn } from 'node:child_process';
import { parseMessage } from '../protocol/json-rpc.ts';
import { HttpFault } from './http-call.ts';
import type { Link, LinkOwner } from './link.ts';

export interface StdioLinkOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly folder: string;
  /** All that the process gets, but for what no program works without. */
  readonly environment: Readonly<Record<string, string>>;
  readonly maxMessageBytes: number;
  /** What it writes to its standard error. */
  onErrorLine(line: string): void;
  /** Called once, when it has ended. */
  onExit(): void;
}

/** Between the end of its input, SIGTERM and SIGKILL. */
const GRACE_MS = 2_000;
const MAX_ERROR_LINE = 1_000;
/** A server that reads nothing. */
const MAX_WAITING_BYTES = 16_777_216;

/**
 * Runs the program as leader of a process group of its own, beside a watcher that waits for the end of the gateway: file
 * descriptor 3 ends with the gateway, however that ends, and then the watcher kills the group. So no process is left, not
 * even one that ignores the end of its input, nor what it started itself.
 */
const WATCHED = '( read _ <&3; kill -9 -$$ ) </dev/null >/dev/null 2>&1 & exec 3<&-; exec "$@"';

/** Children that are alive; a process that ends in any way but a signal takes them along by itself. */
const alive = new Set<ChildProcess>();

/** One process that speaks MCP on its standard streams: https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/stdio */
export class StdioLink implements Link {
  owner: LinkOwner | undefined;
  readonly #child: ChildProcess;
  readonly #maxMessageBytes: number;
  readonly #open = new Set<number>();
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #closed = false;

  constructor(options: StdioLinkOptions) {
    this.#maxMessageBytes = options.maxMessageBytes;
    this.#child = spawn('/bin/sh', ['-c', WATCHED, 'sh', options.command, ...options.args], {
      cwd: options.folder,
      env: options.environment,
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      detached: true,
    });
    const child = this.#child;
    alive.add(child);
    child.stdout!.on('data', (bytes: Buffer) => this.#read(bytes));
    this.#readErrors(options.onErrorLine);
    // A pipe whose other end is gone: the end of the process says so.
    for (const stream of child.stdio) stream?.on('error', () => undefined);
    let ended = false;
    const onEnd = (): void => {
      if (!ended) options.onExit();
      ended = true;
    };
    child.once('error', (error) => {
      onEnd();
      this.#lost(`the program cannot be started: ${error.message}`);
    });
    child.once('exit', (code, signal) => {
      alive.delete(child);
      onEnd();
      this.#killGroup('SIGKILL');
      this.#lost(`the process ended with ${signal ?? `code ${code}`}`);
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  request(id: number, json: string): void {
    this.#open.add(id);
    this.#write(json);
  }

  drop(id: number): void {
    this.#open.delete(id);
  }

  send(json: string): Promise<void> {
    this.#write(json);
    return Promise.resolve();
  }

  hear(): undefined {}

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#child.stdin!.end();
    setTimeout(() => this.#killGroup('SIGTERM'), GRACE_MS / 2).unref();
    setTimeout(() => this.#killGroup('SIGKILL'), GRACE_MS).unref();
  }

  /** At once, with all that it started. */
  kill(): void {
    this.#closed = true;
    this.#killGroup('SIGKILL');
  }

  #write(json: string): void {
    const { stdin } = this.#child;
    if (this.#closed || !stdin?.writable) return;
    if (stdin.writableLength > MAX_WAITING_BYTES) {
      this.kill();
      this.#lost('the process does not read what it is sent');
      return;
    }
    stdin.write(`${json}\n`);
  }

  #read(bytes: Buffer): void {
    let from = 0;
    for (let at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a, from)) {
      this.#pending.push(bytes.subarray(from, at));
      const line = Buffer.concat(this.#pending).toString();
      this.#pending = [];
      this.#pendingBytes = 0;
      from = at + 1;
      this.#line(line);
    }
    if (from === bytes.length) return;
    this.#pending.push(Buffer.from(bytes.subarray(from)));
    this.#pendingBytes += bytes.length - from;
    if (this.#pendingBytes <= this.#maxMessageBytes) return;
    this.kill();
    this.#lost(`a message of the process is larger than mcp.max_message_bytes: ${this.#maxMessageBytes}`);
  }

  #line(line: string): void {
    const message = parseMessage(line);
    if (!message) return;
    this.owner?.message(message, undefined);
    if (message.kind !== 'response' || typeof message.id !== 'number') return;
    if (this.#open.delete(message.id)) this.owner?.over(message.id, undefined);
  }

  #readErrors(onLine: (line: string) => void): void {
    let text = '';
    this.#child.stderr!.on('data', (bytes: Buffer) => {
      const lines = (text + bytes.toString()).split('\n');
      text = (lines.pop() ?? '').slice(-MAX_ERROR_LINE);
      for (const line of lines) if (line.trim() !== '') onLine(line.slice(0, MAX_ERROR_LINE));
    });
  }

  #killGroup(signal: NodeJS.Signals): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // All of it has ended.
    }
    if (signal !== 'SIGKILL') return;
    alive.delete(this.#child);
    (this.#child.stdio[3] as { destroy(): void } | null)?.destroy();
  }

  #lost(message: string): void {
    const wasClosed = this.#closed;
    this.#closed = true;
    if (!wasClosed) this.owner?.lost(new HttpFault(message));
  }
}

process.once('exit', () => {
  for (const { pid } of alive) {
    try {
      if (pid !== undefined) process.kill(-pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
  }
});
