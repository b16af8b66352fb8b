import { GatewayError } from '../core/errors.ts';
import type { HeadersOfInterest, Principal } from '../core/exchange.ts';
import { LocalExchange } from '../core/local-exchange.ts';
import { type Admission, giveBack, Refused } from '../limits/admission.ts';
import { asciiJson, joinedRules } from '../limits/applied-rules.ts';
import type { PipelineOptions } from '../pipeline/pipeline-options.ts';
import type { Caller } from '../policy/caller.ts';
import { recordedMetadata } from '../policy/metadata.ts';
import type { Target } from '../providers/provider.ts';
import type { Heard } from '../providers/realtime-form.ts';
import { ContentTimes } from '../relay/content-times.ts';
import { settle } from '../settlement/settlement.ts';
import { UsageMeter } from '../usage/usage-meter.ts';
import { type GuardedTurn, type SessionGuards, UNGUARDED } from './session-guards.ts';

export interface RealtimeTurnsOptions {
  readonly pipeline: PipelineOptions;
  /** The form in whose words failures are told. */
  readonly form: Parameters<typeof settle>[1]['form'];
  /** The pattern of the route, for records. */
  readonly path: string;
  readonly headers: HeadersOfInterest;
  readonly principal: Principal;
  /** A label for records; undefined: each turn has its own. */
  readonly requestId: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  /** Canonical name of what the client asked for. */
  readonly model: string;
  readonly target: Target;
  readonly wireName: string;
  readonly attempts: number;
  readonly attemptsJson: string | undefined;
  /** The caller as of now, or why the key is no longer good. */
  caller(): Caller | GatewayError;
  /** What reads the words of turns; undefined: nothing does. */
  readonly guards: Pick<SessionGuards, 'onTurnEnds'> | undefined;
}

/** A turn that was let in, from its request to its end. */
interface Turn {
  exchange: LocalExchange;
  readonly admission: Admission;
  readonly meter: UsageMeter;
  readonly content: ContentTimes;
  /** It asked something of the provider. */
  asked: boolean;
  /** It ends with its usage. */
  isOver: boolean;
}

const NOTHING = Buffer.alloc(0);
const NO_RECEIVER = { take: () => true, over() {} };

/**
 * The turns of one session: each passes limits and budgets, and has a record of its own, so that a long session is
 * counted while it goes on. The first one is let in with the session.
 */
export class RealtimeTurns {
  readonly #o: RealtimeTurnsOptions;
  #turn: Turn | undefined;
  #isClosed = false;
  /** Turns that are over, and whose records wait for guards. */
  #settling = 0;
  #onSettled: (() => void) | undefined;

  /** `first`: a turn that was let in with the session; undefined: none was. */
  constructor(
    options: RealtimeTurnsOptions,
    first?: { readonly admission: Admission; readonly exchange: LocalExchange },
  ) {
    this.#o = options;
    this.#turn = first && newTurn(first.exchange, first.admission);
  }

  /** A turn is under way: its answer was asked for. */
  get isBusy(): boolean {
    return this.#turn?.asked === true && !this.#turn.isOver;
  }

  /** Guards refuse what the client said: it did not pass, and has a record. */
  refused(error: GatewayError, guardrailsJson: string | undefined): void {
    const { pipeline, model, principal, metadata } = this.#o;
    const { callers, settings } = pipeline.snapshot();
    const metadataJson = recordedMetadata(metadata, settings);
    const known = { model, teamsJson: callers.of(principal).teamsJson, metadataJson, guardrailsJson };
    pipeline.refused(turnExchange(this.#o), error, known);
  }

  /** Calls back when the records of all turns are made; the guards that they wait for have deadlines. */
  whenSettled(call: () => void): void {
    if (this.#settling === 0) call();
    else this.#onSettled = call;
  }

  /** Asks for a turn, unless one is there. An error: limits or budgets do not allow it. */
  begin(): GatewayError | undefined | Promise<GatewayError | undefined> {
    if (this.#turn?.isOver) this.#end(undefined);
    if (this.#turn !== undefined) {
      this.#ask(this.#turn);
      return undefined;
    }
    const caller = this.#o.caller();
    if (caller instanceof GatewayError) return caller;
    const exchange = turnExchange(this.#o);
    const admitted = this.#admit(caller);
    if (admitted instanceof Promise) {
      return admitted.then(
        (answer) => this.#take(answer, exchange),
        (cause) => new GatewayError('internal_error', { cause }),
      );
    }
    return this.#take(admitted, exchange);
  }

  #admit(caller: Caller) {
    const { pipeline, model, target, metadata } = this.#o;
    return pipeline.snapshot().limits.admit(sessionAdmission({ caller, model, target, metadata }));
  }

  #take(admitted: Admission | Refused, exchange: LocalExchange): GatewayError | undefined {
    const { pipeline, model } = this.#o;
    if (admitted instanceof Refused) {
      pipeline.refused(exchange, admitted.error, { model });
      return admitted.error;
    }
    if (this.#isClosed) giveBack(admitted);
    else {
      this.#turn = { ...newTurn(exchange, admitted), asked: true };
    }
    return undefined;
  }

  /** Takes a message of the provider. False: the provider began a turn by itself, which `begin` has to let in. */
  heard({ begins, content, usage, ends }: Heard, bytes: Buffer): boolean {
    if (begins && this.#turn?.isOver) this.#end(undefined);
    const turn = this.#turn;
    if (turn === undefined) return begins !== true && usage === undefined;
    if (begins) this.#ask(turn);
    turn.exchange.sink.write(bytes);
    if (content) turn.content.came(1);
    if (usage !== undefined) turn.meter.add(usage);
    if (ends === 'with its usage') turn.isOver = true;
    if (ends === true || (turn.isOver && turn.meter.usage !== undefined)) this.#end(undefined);
    return true;
  }

  /** The time of a turn begins when it is asked for: the first one was let in with the session, maybe long ago. */
  #ask(turn: Turn): void {
    if (turn.asked) return;
    turn.asked = true;
    turn.exchange = turnExchange(this.#o);
  }

  /** The session is over. `error`: why a turn that is under way has no end. */
  close(error: GatewayError): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#turn !== undefined) this.#end(this.isBusy ? error : undefined);
  }

  #end(error: GatewayError | undefined): void {
    const turn = this.#turn!;
    this.#turn = undefined;
    const endedAt = performance.now();
    turn.content.date(endedAt);
    this.#settling += 1;
    const settled = (guarded: GuardedTurn): void => {
      this.#settle(turn, endedAt, error, guarded);
      this.#settling -= 1;
      if (this.#settling === 0) this.#onSettled?.();
    };
    const { guards } = this.#o;
    if (guards === undefined) settled(UNGUARDED);
    else guards.onTurnEnds(settled);
  }

  #settle(turn: Turn, endedAt: number, left: GatewayError | undefined, guarded: GuardedTurn): void {
    const error = left ?? guarded.error;
    const { pipeline, form, model, target, metadata, principal, wireName, attempts, attemptsJson } = this.#o;
    const { settings, price, callers } = pipeline.snapshot();
    const { exchange, admission, meter, content, asked } = turn;
    const { json: guardrailsJson, ruleIds } = guarded;
    const guardRules = ruleIds.length === 0 ? undefined : asciiJson({ guardrails: ruleIds });
    settle(
      {
        error,
        status: error?.status ?? 200,
        cut: error !== undefined,
        shortened: undefined,
        rulesJson: joinedRules(admission.rulesJson, guardRules),
        target,
        wireName,
        meter,
        content,
        sentAt: exchange.startedAt,
        endedAt,
        dispatched: true,
        prompt: undefined,
        upstreamMs: endedAt - exchange.startedAt,
        attempts,
        attemptsJson,
        losers: [],
      },
      {
        thread: pipeline.thread,
        log: pipeline.log,
        exchange,
        form,
        model,
        stream: true,
        servedAs: undefined,
        choices: 1,
        // Bytes of audio say nothing about tokens.
        counted: {},
        free: asked ? undefined : true,
        price,
        estimate: pipeline.estimate,
        record: pipeline.record,
        provisional: undefined,
        admission,
        teamsJson: callers.of(principal).teamsJson,
        metadataJson: recordedMetadata(metadata, settings),
        guardrailsJson,
        providerWords: settings.log.providerWords,
      },
    );
    exchange.finish();
  }
}

/** The admission request of one turn: nobody knows before what will be said in it. */
export function sessionAdmission(about: {
  caller: Caller;
  model: string;
  target: Target;
  metadata: Readonly<Record<string, string>>;
}) {
  return {
    ...about,
    bodyBytes: 0,
    maxOutputTokens: undefined,
    choices: 1,
    counted: {},
    stream: false,
    downgradedBy: undefined,
  };
}

export function turnExchange({
  path,
  headers,
  principal,
  requestId,
}: Pick<RealtimeTurnsOptions, 'path' | 'headers' | 'principal' | 'requestId'>): LocalExchange {
  const scan = () => ({ advance() {} });
  const label = requestId === undefined ? undefined : { requestId };
  return new LocalExchange({ method: 'GET', path, principal, body: NOTHING, headers, scan, ...label }, NO_RECEIVER);
}

function newTurn(exchange: LocalExchange, admission: Admission): Turn {
  return { exchange, admission, meter: new UsageMeter(), content: new ContentTimes(), asked: false, isOver: false };
}
