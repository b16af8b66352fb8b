import type { Limits } from '../config/configuration.ts';
import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import type { AnswerContext, Dialect, PeekedRequest } from '../dialects/dialect.ts';
import type { Target } from '../providers/provider.ts';
import type { UsageMeter } from '../usage/usage-meter.ts';
import { asksUsage } from './asks-usage.ts';
import { mountFor } from './choose-mount.ts';
import { ErrorAnswer, MAX_ERROR_BYTES } from './error-answer.ts';
import type { RelayHost, RelayMode } from './relay-mode.ts';
import { StreamPassthrough } from './stream-passthrough.ts';
import { StreamTranslation, type TranslationOptions, WholeTranslation } from './translation.ts';
import { WholePassthrough } from './whole-passthrough.ts';

export const EVENT_STREAM = 'text/event-stream';

/** The head of a provider's answer; names in lower case. */
export interface AnswerHead {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export interface ModeContext {
  readonly host: RelayHost;
  readonly meter: UsageMeter;
  readonly target: Target;
  readonly dialect: Dialect;
  readonly peeked: PeekedRequest;
  readonly limits: Limits;
  readonly exchangeId: string;
  /** A keep-alive comment went out: nothing but an event stream can follow. */
  readonly streamPromised: boolean;
}

/** How an answer is carried back, told from its head alone; or why it cannot be. */
export function chooseMode({ status, headers }: AnswerHead, context: ModeContext): OrError<RelayMode> {
  const { host, meter, target, dialect, limits } = context;
  const { wire } = mountFor(target, dialect)!;
  const readable = isPlain(headers['content-encoding']);
  // What cannot be read says nothing: its status alone does.
  if (status < 200 || status > 299) {
    return new ErrorAnswer(host, target, wire, status, readable ? MAX_ERROR_BYTES : 0);
  }
  if (!readable) {
    return new GatewayError('upstream_protocol', { detail: 'It compressed its answer although asked not to.' });
  }
  const contentType = String(headers['content-type'] ?? 'application/json');
  const mediaType = contentType.toLowerCase();
  const isStream = mediaType.startsWith(EVENT_STREAM);
  if (!isStream && context.streamPromised) {
    // Bare JSON behind a comment would read as an empty answer.
    return new GatewayError('upstream_protocol', { detail: 'It answered without a stream.' });
  }
  if (wire.name !== dialect.name) {
    const options: TranslationOptions = {
      host,
      meter,
      dialect,
      translation: wire.translation!,
      context: answerContext(context),
      maxBytes: limits.maxTranslateBytes,
    };
    return isStream ? new StreamTranslation(options) : new WholeTranslation(options);
  }
  // Neither a length nor chunks: the end of the connection is the end of the answer, whole or not.
  const endsWithConnection =
    headers['content-length'] === undefined && headers['transfer-encoding'] === undefined && !target.local;
  const holdBytes = limits.highWatermarkBytes;
  if (isStream) {
    const stripUsage = asksUsage(context.peeked, target);
    return new StreamPassthrough({ host, meter, wire, contentType, endsWithConnection, holdBytes, stripUsage });
  }
  const isJson = mediaType.includes('json');
  return new WholePassthrough({ host, meter, wire, contentType, endsWithConnection, holdBytes, isJson });
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
}: Pick<ModeContext, 'exchangeId' | 'target' | 'peeked'>): AnswerContext {
  const created = Math.floor(Date.now() / 1000);
  return { exchangeId, model: target.id, includeUsage: peeked.includeUsage, created };
}
