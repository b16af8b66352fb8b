import type { GatewayError } from '../core/errors.ts';
import type { AnswerContext, Dialect } from '../dialects/dialect.ts';
import type { Usage } from '../inference/usage.ts';
import type { Step } from '../routing/route-plan.ts';
import type { UsageMeter } from '../usage/usage-meter.ts';
import type { RelayHost } from './relay-mode.ts';

/** The outcome of an answer that the gateway ended before its provider did. */
export interface Shortened {
  /** The usage of what was sent: it is billed, and told to a client that asked. */
  readonly usage: Usage;
  readonly detail: string;
}

/** The host of a filter: all that a mode may ask, and more. */
export interface FilterHost extends RelayHost {
  /** Aborts the attempt. `ending` is the last that the client gets, and the answer counts as whole. */
  shorten(ending: Buffer, shortened: Shortened): void;
  /**
   * Pauses the provider until as many calls of `resume`: for a filter that waits for a verdict, so that what it holds
   * stays bounded. The provider's waits stand still meanwhile; the filter keeps a deadline of its own (`sweep`).
   */
  pause(): void;
  resume(): void;
}

/** The end of a chain of filters: the attempt itself. */
export interface FilteredEnd extends FilterHost {
  /** First content came. False: the client gets the answer of another attempt. */
  chosen(): boolean;
  describe(contentType: string): FilteredAnswerContext;
}

/** The answer that a filter sees: one attempt's, as the client gets it. */
export interface FilteredAnswerContext {
  readonly contentType: string;
  readonly isStream: boolean;
  readonly dialect: Dialect;
  readonly answer: AnswerContext;
  readonly meter: UsageMeter;
  /** The step that answers; undefined: none was asked, since the answer is of the cache. */
  readonly step: Step | undefined;
}

/** Made per exchange, called per attempt at its first content. Undefined: this answer is none of the filter's business. */
export type AnswerFilterMaker = (host: FilterHost, context: FilteredAnswerContext) => AnswerFilter | undefined;

/**
 * Something between the mode and the sink. It sees the bytes as the client gets them, passed through or translated, and
 * may hold, edit, end or refuse them; held bytes are its own to bound. By itself it passes everything on. Until `commit`
 * is passed on nothing has reached the client, so a `fail` is still an ordinary error with a status.
 */
export abstract class AnswerFilter implements FilterHost {
  protected readonly host: FilterHost;

  constructor(host: FilterHost) {
    this.host = host;
  }

  commit(contentType: string): void {
    this.host.commit(contentType);
  }

  write(bytes: Buffer): void {
    this.host.write(bytes);
  }

  finish(last?: Buffer): void {
    this.host.finish(last);
  }

  fail(error: GatewayError): void {
    this.host.fail(error);
  }

  content(pieces: number): void {
    this.host.content(pieces);
  }

  shorten(ending: Buffer, shortened: Shortened): void {
    this.host.shorten(ending, shortened);
  }

  pause(): void {
    this.host.pause();
  }

  resume(): void {
    this.host.resume();
  }

  /** About every 50 ms, until the attempt is over. `now` is performance.now(). */
  sweep(_now: number): void {}

  /** Called once, however the attempt ended: the filter stops waiting. Its later calls reach nobody. */
  close(): void {}
}

/** The mode's host where there are filters: opens them with the first content, each in front of the next. */
export class FilteredAnswer implements RelayHost {
  readonly #end: FilteredEnd;
  readonly #makers: readonly AnswerFilterMaker[];
  readonly #filters: AnswerFilter[] = [];
  #first: RelayHost;
  #opened = false;

  constructor(end: FilteredEnd, makers: readonly AnswerFilterMaker[]) {
    this.#end = end;
    this.#makers = makers;
    this.#first = end;
  }

  commit(contentType: string): void {
    if (!this.#opened) {
      if (!this.#end.chosen()) return;
      this.#opened = true;
      this.#open(contentType);
    }
    this.#first.commit(contentType);
  }

  write(bytes: Buffer): void {
    this.#first.write(bytes);
  }

  finish(last?: Buffer): void {
    this.#first.finish(last);
  }

  fail(error: GatewayError): void {
    this.#first.fail(error);
  }

  content(pieces: number): void {
    this.#first.content(pieces);
  }

  sweep(now: number): void {
    for (const filter of this.#filters) filter.sweep(now);
  }

  close(): void {
    for (const filter of this.#filters) filter.close();
  }

  /** From the last to the first: each needs the one behind it. */
  #open(contentType: string): void {
    const context = this.#end.describe(contentType);
    let behind: FilterHost = this.#end;
    for (let index = this.#makers.length - 1; index >= 0; index -= 1) {
      const filter = this.#makers[index]!(behind, context);
      if (filter === undefined) continue;
      this.#filters.push(filter);
      behind = filter;
    }
    this.#first = behind;
  }
}
