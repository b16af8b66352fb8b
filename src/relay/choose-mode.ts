import type { JsonObject } from '../codec/json-value.ts';
import type { Limits } from '../config/server/limits.ts';
import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import type { AnswerHeaders } from '../core/http-client.ts';
import type { AnswerContext, Dialect, PeekedRequest } from '../dialects/dialect.ts';
import type { Target, Wire } from '../providers/provider.ts';
import type { UsageMeter } from '../usage/usage-meter.ts';
import { AnswerByKind, type AnswerKind } from './answer-by-kind.ts';
import { type AnswerMaker, type AnswerParts, answerMaker, type HeavyAnswers } from './answer-translation.ts';
import { BytesAsEvents } from './bytes-as-events.ts';
import { formOf } from './choose-mount.ts';
import { ConvertedAnswer, type ConvertedAnswerOptions } from './converted-answer.ts';
import { ErrorAnswer, MAX_ERROR_BYTES } from './error-answer.ts';
import type { HeldMemory } from './held-memory.ts';
import { MediaPassthrough } from './media-passthrough.ts';
import type { RelayHost, RelayMode } from './relay-mode.ts';
import { StreamPassthrough } from './stream-passthrough.ts';
import { StreamTranslation, WholeTranslation } from './translation.ts';
import { UnpackedStream } from './unpacked-stream.ts';
import { type AskedVectors, WholePassthrough } from './whole-passthrough.ts';

export const EVENT_STREAM = 'text/event-stream';
const AWS_EVENT_STREAM = 'application/vnd.amazon.eventstream';
const JSON_TYPE = 'application/json';
const HTML = 'text/html';
/** RFC 9110 §8.3: the media type of a body without a label. */
const BYTES = 'application/octet-stream';

/** The head of a provider's answer. */
export interface AnswerHead {
  readonly status: number;
  readonly headers: AnswerHeaders;
}

export interface ModeContext {
  readonly host: RelayHost;
  readonly meter: UsageMeter;
  readonly target: Target;
  readonly wire: Wire;
  readonly dialect: Dialect;
  readonly peeked: PeekedRequest;
  readonly limits: Limits;
  readonly memory: HeldMemory;
  readonly exchangeId: string;
  readonly strictForm: boolean;
  /** See AnswerContext. */
  readonly repeats?: JsonObject | undefined;
  /** The gateway asked for usage, not the client: the event that this causes is not the client's. */
  readonly askedUsage: boolean;
  readonly heavyAnswers: HeavyAnswers;
  /** The parts of an answer that was put together from those of several requests. */
  readonly parts: AnswerParts | undefined;
  /** Its signal fires when nobody waits for the answer any more. */
  readonly abandoned: { readonly signal: AbortSignal };
}

type Convert = ConvertedAnswerOptions['convert'];

/** How an answer is carried back, told from its head and then from its first bytes; or why it cannot be. */
export function chooseMode(head: AnswerHead, context: ModeContext): OrError<RelayMode> {
  const { status, headers } = head;
  const { host, target, wire } = context;
  const readable = isPlain(headers['content-encoding']);
  // A body that cannot be read says nothing: the status alone does.
  if (status < 200 || status > 299) {
    return new ErrorAnswer(host, target, wire, status, readable ? MAX_ERROR_BYTES : 0);
  }
  if (!readable) {
    return new GatewayError('upstream_protocol', { detail: 'It compressed its answer although asked not to.' });
  }
  const asked = context.peeked.stream ? 'stream' : 'whole';
  const media = mediaMode(head, context);
  if (media !== undefined) return media;
  return new AnswerByKind(host, asked, (kind) => modeFor(kind, head, context));
}

/**
 * Bytes of a form that has them. Here the label tells, for audio may begin with any byte; undefined: it is the label of
 * a stream, or of a page.
 */
function mediaMode({ headers }: AnswerHead, context: ModeContext): RelayMode | undefined {
  const { host, meter, target, wire, dialect, limits, memory, peeked } = context;
  if (dialect.answers.media !== 'any' || (!passes(wire, dialect) && wire.media !== 'any')) return undefined;
  const contentType = String(headers['content-type'] ?? BYTES);
  const label = contentType.toLowerCase();
  if (label.startsWith(EVENT_STREAM) || label.startsWith(HTML)) return undefined;
  const { toEvents, eventsOfBytes } = dialect.answers;
  const isStream = peeked.stream && toEvents !== undefined;
  let receiver = host;
  if (isStream && eventsOfBytes !== undefined) {
    receiver = new BytesAsEvents({ host, writer: eventsOfBytes(), contentType: EVENT_STREAM });
  } else if (isStream) {
    receiver = new ConvertedAnswer({
      memory,
      maxBytes: limits.maxTranslateBytes,
      host,
      convert: (answer, done) => done(toEvents(answer, answerContext(context))),
      contentType: EVENT_STREAM,
    });
  }
  const { answers: form } = dialect;
  const holdBytes = limits.highWatermarkBytes;
  return new MediaPassthrough({ host: receiver, meter, wire, target, form, contentType, isStream, holdBytes });
}

/** The provider's kind of answer, turned into the kind that was asked for where it is the other one. */
function modeFor(told: AnswerKind, head: AnswerHead, context: ModeContext): OrError<RelayMode> {
  const contentType = String(head.headers['content-type'] ?? '');
  const label = contentType.toLowerCase();
  const { host, target, wire, limits, dialect, memory } = context;
  const framed = told === 'frames' || (told === 'other' && label.startsWith(AWS_EVENT_STREAM));
  const unpack = wire.envelope?.unpack;
  if (framed && unpack) {
    const { 'content-type': _ofFrames, ...headers } = head.headers;
    const asked = context.peeked.stream ? 'stream' : 'whole';
    const inner = new AnswerByKind(host, asked, (kind) => modeFor(kind, { ...head, headers }, context));
    return new UnpackedStream({ host, inner, unpack, maxFrameBytes: limits.maxTranslateBytes });
  }
  const kind = kindOf(told, framed, label, wire);
  // HTML comes from a proxy in between: it is read as the error that it should have been.
  if (kind === 'html' || kind === 'other') return new ErrorAnswer(host, target, wire, undefined, MAX_ERROR_BYTES);
  if (kind === 'nothing') return new GatewayError('upstream_protocol', { detail: 'Its answer is empty.' });
  const shared = { memory, maxBytes: limits.maxTranslateBytes };
  if (kind === 'events') {
    const type = label.startsWith(EVENT_STREAM) ? contentType : EVENT_STREAM;
    if (context.peeked.stream) return eventsMode(host, type, context);
    const convert = dialect.answers.toWhole;
    if (convert === undefined) {
      return new GatewayError('upstream_protocol', { detail: 'It answered with a stream that nobody asked for.' });
    }
    const toWhole: Convert = (events, done) => done(convert(events));
    const whole = new ConvertedAnswer({ ...shared, host, convert: toWhole, contentType: JSON_TYPE });
    return eventsMode(whole, type, context);
  }
  const type = label.includes('json') ? contentType : JSON_TYPE;
  if (!context.peeked.stream) return wholeMode(host, type, head, context);
  const { toEvents } = dialect.answers;
  if (toEvents === undefined) return wholeMode(host, type, head, context);
  const convert: Convert = (answer, done) => done(toEvents(answer, answerContext(context)));
  const events = new ConvertedAnswer({ ...shared, host, convert, contentType: EVENT_STREAM });
  return wholeMode(events, type, head, context);
}

/** The kind by first bytes, and where those do not tell, by the label and by the framing of the wire. */
function kindOf(told: AnswerKind, framed: boolean, label: string, { framing }: Wire): Exclude<AnswerKind, 'frames'> {
  if (framed && framing === 'aws-event-stream') return 'events';
  if (told === 'frames') return 'other';
  // A stream may begin with a field that nobody knows.
  return told === 'other' && label.startsWith(EVENT_STREAM) ? 'events' : told;
}

/** Its answers are of the client's form. */
function passes(wire: Wire, dialect: Dialect): boolean {
  return (wire.answersAs ?? formOf(wire)) === dialect.name;
}

const NO_STREAM = new GatewayError('upstream_protocol', {
  detail: 'It answered with a stream, which this form has not.',
});

function streamTranslation(host: RelayHost, context: ModeContext): OrError<RelayMode> {
  const options = translationOptions(host, context);
  const reader = options.translation.eventReader?.();
  const writer = options.to.eventWriter?.(options.context);
  return reader && writer ? new StreamTranslation({ ...options, reader, writer }) : NO_STREAM;
}

function eventsMode(host: RelayHost, contentType: string, context: ModeContext): OrError<RelayMode> {
  const { meter, target, wire, dialect, peeked, limits, memory } = context;
  if (!passes(wire, dialect)) return streamTranslation(host, context);
  const { answers } = dialect;
  if (answers.stream === undefined) return NO_STREAM;
  return new StreamPassthrough({
    host,
    meter,
    wire,
    target,
    form: { stream: answers.stream },
    expected: { choices: peeked.choices, usageEvent: context.askedUsage ? 'take-out' : 'keep' },
    memory,
    contentType,
    holdBytes: limits.highWatermarkBytes,
    maxEventBytes: limits.maxEventBytes,
  });
}

function wholeMode(host: RelayHost, contentType: string, { headers }: AnswerHead, context: ModeContext): RelayMode {
  const { meter, target, wire, dialect, limits, memory } = context;
  if (!passes(wire, dialect)) {
    const make = maker(context);
    return new WholeTranslation({ host, meter, wire, target, make, memory, maxBytes: limits.maxTranslateBytes });
  }
  return new WholePassthrough({
    host,
    meter,
    wire,
    target,
    form: dialect.answers,
    contentType,
    // Neither a length nor chunks: the end of the connection is the end of the answer, whole or not.
    endsWithConnection:
      headers['content-length'] === undefined && headers['transfer-encoding'] === undefined && !target.local,
    holdBytes: limits.highWatermarkBytes,
    vectors: askedVectors(host, context),
  });
}

function askedVectors(host: RelayHost, context: ModeContext): AskedVectors | undefined {
  const { dialect, peeked, limits, memory } = context;
  const { encoding } = peeked;
  const form = dialect.answers.vectors;
  if (form === undefined || encoding === undefined) return undefined;
  const convert: Convert = (answer, done) =>
    maker(context)(answer, undefined, (made) => {
      // Only a translation tells of failures: here they were read from the answer.
      if (made instanceof GatewayError) done(made);
      else done('body' in made ? made.body : new GatewayError('upstream_protocol'));
    });
  const maxBytes = limits.maxTranslateBytes;
  return {
    form,
    encoding,
    rewriter: () => new ConvertedAnswer({ host, memory, maxBytes, convert, contentType: JSON_TYPE }),
  };
}

function maker(context: ModeContext): AnswerMaker {
  const { dialect, parts, heavyAnswers, abandoned } = context;
  return answerMaker({ dialect, context: answerContext(context), parts }, heavyAnswers, abandoned);
}

function translationOptions(host: RelayHost, context: ModeContext) {
  const { meter, target, wire, dialect, limits, memory } = context;
  return {
    host,
    meter,
    wire,
    target,
    to: dialect.translation!,
    translation: wire.translation!,
    context: answerContext(context),
    memory,
    holdBytes: limits.highWatermarkBytes,
    maxBytes: limits.maxTranslateBytes,
  };
}

function isPlain(encoding: string | string[] | undefined): boolean {
  if (encoding === undefined) return true;
  const name = String(encoding).trim().toLowerCase();
  return name === '' || name === 'identity';
}

export function answerContext({
  exchangeId,
  target,
  peeked,
  strictForm,
  repeats,
}: Pick<ModeContext, 'exchangeId' | 'target' | 'peeked' | 'strictForm' | 'repeats'>): AnswerContext {
  const created = Math.floor(Date.now() / 1000);
  const { encoding, maxResults, format } = peeked;
  // A whole answer always has it, also where it is put together from a stream.
  const includeUsage = peeked.includeUsage || !peeked.stream;
  return {
    exchangeId,
    model: target.id,
    includeUsage,
    created,
    strict: strictForm,
    encoding,
    maxResults,
    format,
    repeats,
  };
}
