import { type JsonObject, objectOf, parseObject } from '../codec/json-value.ts';
import type { RealtimeSettings } from '../config/server/realtime.ts';
import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import type { ClientSocket, SocketHandler } from '../edge/web-sockets.ts';
import type { Heard, RealtimeForm } from '../providers/realtime-form.ts';
import type { ProviderSession } from './open-session.ts';
import type { RealtimeTurns } from './realtime-turns.ts';

export interface RealtimeSessionOptions {
  readonly form: RealtimeForm;
  /** How the session begins, as its client's secret says; undefined: as its client says. */
  readonly config?: JsonObject | undefined;
  readonly settings: RealtimeSettings;
  /** Opens the session of the model that the first message names. */
  open(model: string): Promise<OrError<ProviderSession>>;
  /** The body of an error in the client's form. */
  errorBody(error: GatewayError): Uint8Array;
  /** Called once, when the session is over. */
  onClosed(): void;
}

const NORMAL_CLOSE = 1000;
const GOING_AWAY = 1001;
const POLICY_CLOSE = 1008;
const TOO_BIG_CLOSE = 1009;
const FAULT_CLOSE = 1011;
const TRY_LATER_CLOSE = 1013;
/** RFC 6455 §5.5: a control frame holds 125 bytes, two of them the code. */
const MAX_REASON_BYTES = 123;

/**
 * One session between a client and a provider: messages pass as they are, both ways and with backpressure, and so do the
 * code and the reason of the end.
 */
export class RealtimeSession implements SocketHandler {
  readonly #client: ClientSocket;
  readonly #o: RealtimeSessionOptions;
  readonly #timers: NodeJS.Timeout[] = [];
  #provider: ProviderSession | undefined;
  /** Messages of the client that wait for the provider or for limits; undefined: messages pass at once. */
  #held: { bytes: Buffer; isBinary: boolean }[] | undefined;
  #heldBytes = 0;
  /** What the messages that are held wait for. */
  #waits = 0;
  /** Messages of the provider that wait until guards have judged the answer before them. */
  readonly #behind: { bytes: Buffer; isBinary: boolean }[] = [];
  /** The parts that want nothing of the provider for now: guards, or the client's socket. */
  #pauses = 0;
  #isClientFull = false;
  /** A message or a pong came from the provider since the last ping. */
  #isAlive = true;
  #ends = false;
  #isOver = false;

  /** `provider` undefined: the first message names the model, and so the provider. */
  constructor(client: ClientSocket, options: RealtimeSessionOptions, provider: ProviderSession | undefined) {
    this.#client = client;
    this.#o = options;
    const { maxSessionMs, setupMs } = options.settings;
    this.#after(maxSessionMs, () => this.#fail(this.#setting('session_over', 'max_session_ms'), NORMAL_CLOSE));
    if (provider !== undefined) this.#begin(provider);
    else {
      this.#after(setupMs, () => {
        if (this.#provider === undefined) this.#fail(this.#setting('session_over', 'setup_ms'), POLICY_CLOSE);
      });
    }
  }

  // ── from the client ───────────────────────────────────────────────────────

  message(bytes: Buffer, isBinary: boolean): void {
    if (this.#isOver) return;
    if (this.#held !== undefined) this.#hold(bytes, isBinary);
    else if (this.#provider === undefined) this.#setUp(bytes, isBinary);
    else this.#say(this.#provider, bytes, isBinary);
  }

  tooLarge(maxBytes: number): void {
    this.#fail(new GatewayError('body_too_large', { setting: `limits.max_body_bytes: ${maxBytes}` }), TOO_BIG_CLOSE);
  }

  drained(): void {
    if (!this.#isClientFull) return;
    this.#isClientFull = false;
    this.#resume();
  }

  closed(code: number, reason: string): void {
    if (this.#isOver) return;
    this.#over(new GatewayError('client_closed'));
    this.#provider?.socket.close(isSendable(code) ? code : NORMAL_CLOSE, reason);
  }

  drain(): void {
    this.#ends = true;
    this.#endAtRest(this.#provider);
  }

  #endAtRest(provider: ProviderSession | undefined): void {
    if (!this.#ends || provider?.turns.isBusy || provider?.guards.isAsking) return;
    this.#end(GOING_AWAY, 'the gateway stops');
  }

  cut(): void {
    this.#end(GOING_AWAY, 'the gateway stops', new GatewayError('draining'));
  }

  #setUp(first: Buffer, isBinary: boolean): void {
    const model = this.#o.form.modelOf!(first);
    if (model instanceof GatewayError) {
      this.#fail(model, POLICY_CLOSE);
      return;
    }
    this.#held = [];
    this.#hold(first, isBinary);
    this.#o.open(model).then(
      (provider) => {
        if (provider instanceof GatewayError) this.#fail(provider, POLICY_CLOSE);
        else if (this.#isOver) abandon(provider);
        else {
          this.#begin(provider);
          if (this.#waits === 0) this.#release();
        }
      },
      (cause) => this.#fail(new GatewayError('internal_error', { cause }), FAULT_CLOSE),
    );
  }

  #say(provider: ProviderSession, bytes: Buffer, isBinary: boolean): void {
    const guarded = provider.guards.said(bytes);
    if (guarded instanceof Promise) this.#wait(guarded, (each) => this.#ask(provider, each, isBinary));
    else this.#ask(provider, guarded, isBinary);
  }

  #ask(provider: ProviderSession, guarded: OrError<Buffer>, isBinary: boolean): void {
    if (guarded instanceof GatewayError) {
      provider.turns.refused(guarded, provider.guards.takeJson());
      this.#tell(guarded);
      return;
    }
    const said = this.#o.form.said(guarded, provider.model);
    if (said instanceof GatewayError) {
      this.#tell(said);
      return;
    }
    const taken = (error: GatewayError | undefined): void => {
      if (error) this.#tell(error);
      else this.#pass(provider, said.bytes, isBinary);
    };
    const verdict = said.asks ? provider.turns.begin() : undefined;
    if (verdict instanceof Promise) this.#wait(verdict, taken);
    else taken(verdict);
  }

  /** What comes behind a message must not overtake it. */
  #wait<T>(answer: Promise<T>, taken: (answer: T) => void): void {
    this.#held ??= [];
    this.#waits += 1;
    void answer.then((each) => {
      if (this.#isOver) return;
      taken(each);
      this.#waits -= 1;
      if (this.#waits === 0) this.#release();
    });
  }

  #pass({ socket }: ProviderSession, bytes: Buffer, isBinary: boolean): void {
    if (socket.readyState !== socket.OPEN) return;
    socket.send(bytes, { binary: isBinary });
    if (socket.bufferedAmount > this.#o.settings.maxWaitingBytes) this.#tooMuchWaits();
  }

  #hold(bytes: Buffer, isBinary: boolean): void {
    this.#held!.push({ bytes, isBinary });
    this.#heldBytes += bytes.length;
    if (this.#heldBytes > this.#o.settings.maxWaitingBytes) this.#tooMuchWaits();
  }

  #release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    this.#heldBytes = 0;
    for (const { bytes, isBinary } of held) this.message(bytes, isBinary);
  }

  /** The client cannot be paused: the addon reads a WebSocket as long as it sends. */
  #tooMuchWaits(): void {
    this.#fail(this.#setting('session_queue_full', 'max_waiting_bytes'), TRY_LATER_CLOSE);
  }

  // ── from the provider ─────────────────────────────────────────────────────

  #begin(provider: ProviderSession): void {
    this.#provider = provider;
    const { socket, guards } = provider;
    guards.bind({
      deliver: (bytes, isBinary) => this.#deliver(bytes, isBinary),
      refused: (error, cancels) => this.#refused(provider, error, cancels),
      pause: () => this.#pause(),
      resume: () => this.#resume(),
    });
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      this.#isAlive = true;
      if (guards.isAsking) this.#behind.push({ bytes: data, isBinary });
      else this.#heard(provider, data, isBinary);
    });
    socket.on('pong', () => {
      this.#isAlive = true;
    });
    socket.on('close', (code, reason) => {
      const isFault = !isSendable(code);
      this.#end(
        isFault ? FAULT_CLOSE : code,
        isFault ? 'the provider’s connection was lost' : reason.toString(),
        new GatewayError('upstream_cut'),
      );
    });
    const { silenceMs } = this.#o.settings;
    const beat = setInterval(() => {
      // A provider that is not listened to answers no ping.
      if (this.#pauses > 0) return;
      if (!this.#isAlive) this.#fail(this.#setting('idle_timeout', 'silence_ms'), FAULT_CLOSE);
      this.#isAlive = false;
      if (socket.readyState === socket.OPEN) socket.ping();
    }, silenceMs).unref();
    this.#timers.push(beat);
    this.#openAs(provider);
    socket.resume();
    if (socket.readyState > socket.OPEN) this.#end(FAULT_CLOSE, '', new GatewayError('upstream_cut'));
  }

  /** What its route and its secret say comes first, and is read as words of the client's are. */
  #openAs(provider: ProviderSession): void {
    const { form, config } = this.#o;
    const first = form.opening(provider.model, config);
    if (first === undefined) return;
    const held = this.#held;
    this.#held = undefined;
    this.#say(provider, first, false);
    if (held === undefined) return;
    this.#held = [...(this.#held ?? []), ...held];
  }

  #heard(provider: ProviderSession, bytes: Buffer, isBinary: boolean): void {
    if (this.#isOver) return;
    const heard = this.#o.form.heard(bytes);
    if (!provider.turns.heard(heard, bytes)) this.#turnOfItsOwn(provider.turns, heard, bytes);
    this.#transcript(provider, heard, bytes);
    if (this.#isOver) return;
    provider.guards.heard(bytes, isBinary);
    this.#endAtRest(provider);
  }

  /** Another model transcribes what the client says: its turns are its own. */
  #transcript({ transcripts }: ProviderSession, { transcriber, transcript }: Heard, bytes: Buffer): void {
    if (transcriber !== undefined) transcripts.is(transcriber);
    if (transcript === undefined || this.#isOver) return;
    const turns = transcripts.turnsOf(transcript);
    if (turns !== undefined && !turns.heard(transcript, bytes)) this.#turnOfItsOwn(turns, transcript, bytes);
  }

  #deliver(bytes: Buffer, isBinary: boolean): void {
    if (this.#isOver || this.#client.send(bytes, isBinary) || this.#isClientFull) return;
    this.#isClientFull = true;
    this.#pause();
  }

  /** Guards refuse an answer: the session stays where the provider can be told so. */
  #refused(provider: ProviderSession, error: GatewayError, cancels: readonly string[] | undefined): void {
    if (cancels === undefined) {
      this.#fail(error, POLICY_CLOSE);
      return;
    }
    this.#tell(error);
    for (const each of cancels) this.#pass(provider, Buffer.from(each), false);
  }

  #pause(): void {
    this.#pauses += 1;
    this.#provider?.socket.pause();
  }

  #resume(): void {
    this.#pauses -= 1;
    const provider = this.#provider;
    if (provider === undefined || this.#isOver) return;
    while (this.#behind.length > 0 && !provider.guards.isAsking) {
      const { bytes, isBinary } = this.#behind.shift()!;
      this.#heard(provider, bytes, isBinary);
    }
    if (this.#pauses > 0) return;
    this.#isAlive = true;
    provider.socket.resume();
    this.#endAtRest(provider);
  }

  /** The provider began a turn by itself, since it heard the client stop. Where limits refuse the turn, the session ends. */
  #turnOfItsOwn(turns: RealtimeTurns, ...heard: Parameters<typeof turns.heard>): void {
    const taken = (error: GatewayError | undefined): void => {
      if (this.#isOver) return;
      if (error) this.#fail(error, POLICY_CLOSE);
      else turns.heard(...heard);
    };
    const verdict = turns.begin();
    if (verdict instanceof Promise) void verdict.then(taken);
    else taken(verdict);
  }

  // ── the end ───────────────────────────────────────────────────────────────

  #tell(error: GatewayError): void {
    const message = this.#told(error);
    if (message !== undefined) this.#client.send(message);
    else this.#end(POLICY_CLOSE, error.message, error);
  }

  #fail(error: GatewayError, code: number): void {
    if (this.#isOver) return;
    const message = this.#told(error);
    if (message !== undefined) this.#client.send(message);
    this.#end(code, error.message, error);
  }

  #end(code: number, reason: string, error = new GatewayError('draining')): void {
    if (this.#isOver) return;
    this.#over(error);
    this.#provider?.socket.close(GOING_AWAY);
    this.#client.close(code, shortened(reason));
  }

  #over(error: GatewayError): void {
    this.#isOver = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#held = undefined;
    this.#behind.length = 0;
    const provider = this.#provider;
    if (provider === undefined) {
      this.#o.onClosed();
      return;
    }
    provider.turns.close(error);
    provider.transcripts.close(error);
    provider.guards.close();
    provider.socket.resume();
    provider.turns.whenSettled(() => this.#o.onClosed());
  }

  #told(error: GatewayError): string | undefined {
    const { form, errorBody } = this.#o;
    return form.errorMessage(objectOf(parseObject(Buffer.from(errorBody(error)).toString())?.['error']) ?? {});
  }

  #setting(code: 'session_over' | 'session_queue_full' | 'idle_timeout', key: string): GatewayError {
    const { settings } = this.#o;
    const name = key.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()) as keyof RealtimeSettings;
    return new GatewayError(code, { setting: `realtime.${key}: ${settings[name]}` });
  }

  #after(ms: number, run: () => void): void {
    this.#timers.push(setTimeout(run, ms).unref());
  }
}

/** Closes a session whose client left before it began. */
export function abandon({ socket, turns, transcripts, guards }: ProviderSession): void {
  turns.close(new GatewayError('client_closed'));
  transcripts.close(new GatewayError('client_closed'));
  guards.close();
  socket.resume();
  socket.close(GOING_AWAY);
}

/** RFC 6455 §7.4: 1004 to 1006 and 1015 are never sent. */
function isSendable(code: number): boolean {
  return (code >= 1000 && code <= 1014 && (code < 1004 || code > 1006)) || (code >= 3000 && code <= 4999);
}

function shortened(reason: string): string {
  let text = reason;
  while (Buffer.byteLength(text) > MAX_REASON_BYTES) text = text.slice(0, -1);
  return text;
}
