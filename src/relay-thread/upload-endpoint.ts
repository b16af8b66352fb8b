import { abortError } from '../core/abort-error.ts';
import { GatewayError } from '../core/errors.ts';
import type { AbortReason, BodyReceiver, Exchange } from '../core/exchange.ts';
import type { Dialect, PeekedRequest, UploadForm, UploadScan } from '../dialects/dialect.ts';
import { admitUpload, type BegunInference, refuseUpload, runInference } from '../pipeline/pipeline.ts';
import type { PipelineOptions } from '../pipeline/pipeline-options.ts';
import { HeldMemory } from '../relay/held-memory.ts';
import { Spool } from '../relay/spooled-body.ts';

/** A form up to here is kept in memory and goes the way of any other body. */
const MAX_KEPT_BYTES = 262_144;
/** Bytes that wait for the disk: above the first the client is paused, below the second it goes on. */
const MAX_WAITING_BYTES = 1_048_576;
const RESUME_BYTES = 262_144;

/**
 * A form with a file on its way to a provider. A small one is kept; a large one goes to the disk as it comes, and to the
 * provider as soon as the form says which one: the model may stand behind the file. Nothing of it is held whole.
 */
class UploadEndpoint implements BodyReceiver {
  readonly #exchange: Exchange;
  readonly #dialect: Dialect;
  readonly #options: PipelineOptions;
  readonly #memory: HeldMemory;
  readonly #scan: UploadScan;
  #kept: Buffer[] = [];
  #keptBytes = 0;
  #spool: Spool | undefined;
  #peeked: PeekedRequest | undefined;
  #inference: BegunInference | undefined;
  #isOver = false;

  constructor(exchange: Exchange, dialect: Dialect, uploads: UploadForm, options: PipelineOptions) {
    this.#exchange = exchange;
    this.#dialect = dialect;
    this.#options = options;
    const { limits } = options.snapshot().settings;
    this.#memory = new HeldMemory(options.sharedMemory, limits.maxBodyMemoryBytes);
    this.#scan = uploads.scan(exchange);
  }

  /** Nothing of the body came yet. */
  start(): void {
    const exchange = this.#exchange;
    const refusal = this.#options.refusal() ?? this.#scan.fault;
    if (refusal) {
      this.fail(refusal);
      return;
    }
    exchange.onAbort = this.#onAbort;
    if (exchange.arriving === undefined) this.fail(new GatewayError('internal_error'));
    else exchange.arriving.receiver = this;
  }

  take(bytes: Uint8Array): void {
    if (this.#isOver) return;
    this.#scan.take(bytes);
    const { fault } = this.#scan;
    if (fault) this.fail(fault);
    else if (this.#spool) this.#store(this.#spool, bytes);
    else this.#keep(bytes);
  }

  end(): void {
    if (this.#isOver) return;
    this.#scan.finish();
    const { fault } = this.#scan;
    if (fault) this.fail(fault);
    else if (this.#spool) this.#endStored(this.#spool);
    else this.#runKept();
  }

  fail(error: GatewayError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#memory.release();
    this.#spool?.fail(error);
    if (this.#inference) this.#inference.breakOff(error);
    else refuseUpload(this.#exchange, error, this.#options);
  }

  #onAbort = (reason: AbortReason): void => {
    this.fail(abortError(reason));
  };

  #keep(bytes: Uint8Array): void {
    if (this.#keptBytes + bytes.length <= MAX_KEPT_BYTES) {
      this.#keptBytes += bytes.length;
      if (this.#memory.mayHold(this.#keptBytes)) this.#kept.push(Buffer.from(bytes));
      else this.#refuseMemory();
      return;
    }
    const spool = new Spool(this.#options.spoolFolder, this.#exchange.arriving?.declaredBytes);
    this.#spool = spool;
    this.#exchange.spooled = spool;
    spool.onWritten = this.#onWritten;
    for (const each of this.#kept) spool.write(each);
    this.#kept = [];
    this.#store(spool, bytes);
  }

  #store(spool: Spool, bytes: Uint8Array): void {
    spool.write(bytes);
    if (spool.waitingBytes > MAX_WAITING_BYTES) this.#exchange.arriving?.pause();
    // What comes of a fast client in this turn comes all the same, and counts.
    if (!this.#memory.mayHold(spool.waitingBytes)) this.#refuseMemory();
    else if (spool.fault) this.fail(spool.fault);
    else if (this.#inference === undefined && spool.length !== undefined && this.#scan.mayBegin) this.#begin();
  }

  #onWritten = (): void => {
    const spool = this.#spool;
    if (spool === undefined || this.#isOver) return;
    if (spool.fault) this.fail(spool.fault);
    else if (spool.waitingBytes < RESUME_BYTES) this.#exchange.arriving?.resume();
  };

  #refuseMemory(): void {
    this.fail(new GatewayError('body_memory_full', { setting: this.#memory.setting, retryAfterMs: 1000 }));
  }

  /** The request may still ask for more, by fields behind the file. */
  #begin(): void {
    const peeked = this.#scan.result();
    if (peeked instanceof GatewayError) {
      this.fail(peeked);
      return;
    }
    this.#peeked = peeked;
    this.#inference = admitUpload(this.#exchange, this.#dialect, this.#options, peeked);
    // It may be refused by now.
    if (this.#inference === undefined) this.#isOver = true;
  }

  #endStored(spool: Spool): void {
    const peeked = this.#scan.result();
    if (peeked instanceof GatewayError) {
      this.fail(peeked);
      return;
    }
    this.#isOver = true;
    this.#memory.release();
    if (this.#peeked) Object.assign(this.#peeked, peeked);
    spool.end();
    if (this.#inference === undefined) admitUpload(this.#exchange, this.#dialect, this.#options, peeked);
  }

  /** As any body that was collected. */
  #runKept(): void {
    this.#isOver = true;
    const exchange = this.#exchange;
    exchange.onAbort = undefined;
    exchange.body = Buffer.concat(this.#kept);
    this.#kept = [];
    this.#memory.release();
    const scan = this.#dialect.scan(exchange);
    scan.advance(exchange.body, exchange.body.length);
    const peeked = scan.result(exchange.body);
    if (peeked instanceof GatewayError) refuseUpload(exchange, peeked, this.#options);
    else runInference(exchange, this.#dialect, this.#options, { peeked });
  }
}

export function runUpload(exchange: Exchange, dialect: Dialect, uploads: UploadForm, options: PipelineOptions): void {
  new UploadEndpoint(exchange, dialect, uploads, options).start();
}
