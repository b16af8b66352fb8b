import { countOf, isArray, isObject, type JsonObject, parseObject, stringOf } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { InferenceEvent, Transcript } from '../../inference/event.ts';
import type { BodyStretch } from '../../inference/form-part.ts';
import type { Operation } from '../../inference/operation.ts';
import type { SpokenPart, TranscriptionRequest } from '../../inference/transcription.ts';
import type { Usage } from '../../inference/usage.ts';
import type { MadeRequest, Wire } from '../provider.ts';
import { providerError } from './provider-error.ts';
import { type ProviderFault, readProviderFault } from './provider-fault.ts';

export interface TranscriptionWireSetup {
  readonly name: string;
  readonly path: string;
  readonly operation?: Operation;
  toRequest(request: TranscriptionRequest): OrError<MadeRequest>;
  fromAnswer(answer: JsonObject): Transcript | undefined;
  /** What it counts beside seconds. */
  usageOf?(answer: JsonObject): Usage | undefined;
  /** Default: the shapes that most vendors use. */
  readonly faultIn?: (body: Buffer) => ProviderFault;
}

/** A vendor's own form of transcripts: the recording goes on as it is, and its JSON becomes what the client asked for. */
export function transcriptionWire(setup: TranscriptionWireSetup): Wire {
  const {
    name,
    path,
    operation = 'transcription',
    toRequest,
    fromAnswer,
    usageOf,
    faultIn = readProviderFault,
  } = setup;
  return {
    name,
    operation,
    framing: 'none',
    method: 'POST',
    // Each request says its own.
    contentType: undefined,
    forwards: [],
    path: () => path,
    toUsage: () => undefined,
    toError: (status, body, target) => providerError(status, faultIn(body), target),
    translation: {
      toRequest: (request) =>
        'audio' in request ? toRequest(request) : new GatewayError('unsupported_operation', { param: 'model' }),
      fromResponse(body): OrError<InferenceEvent[]> {
        const answer = parseObject(body.toString('utf8'));
        const transcript = answer && fromAnswer(answer);
        if (answer === undefined || transcript === undefined) {
          return new GatewayError('upstream_protocol', { detail: 'Its answer has no transcript.' });
        }
        const usage = usageOf?.(answer) ?? usageOfSeconds(transcript.durationSeconds);
        return [
          { type: 'transcript', transcript },
          ...(usage === undefined ? [] : [{ type: 'usage', usage } as const]),
        ];
      },
    },
  };
}

function usageOfSeconds(seconds: number | undefined): Usage | undefined {
  return seconds === undefined ? undefined : { rare: { audioInputMs: Math.round(seconds * 1000) } };
}

/**
 * A form with these texts and the client's recording, within the client's own boundary: it stands nowhere in the
 * recording, and no text of the client's can hold it.
 */
export function recordingForm(
  { boundary, audio }: TranscriptionRequest,
  fields: readonly (readonly [name: string, value: string | number | boolean | undefined])[],
): MadeRequest {
  const part = (disposition: string) => `--${boundary}\r\ncontent-disposition: form-data; ${disposition}\r\n`;
  const texts = fields
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${part(`name="${name}"`)}\r\n${value}\r\n`);
  const type = audio.mediaType === undefined ? '' : `content-type: ${audio.mediaType}\r\n`;
  const file = `${part(`name="file"; filename="${audio.filename ?? 'audio'}"`)}${type}\r\n`;
  const body: (Buffer | BodyStretch)[] = [
    Buffer.from(texts.join('') + file),
    { start: audio.start, end: audio.end },
    Buffer.from(`\r\n--${boundary}--\r\n`),
  ];
  const quoted = /^[\w'+.-]+$/.test(boundary) ? boundary : `"${boundary}"`;
  return { body, headers: ['content-type', `multipart/form-data; boundary=${quoted}`] };
}

const TYPES: Readonly<Record<string, string>> = {
  aac: 'audio/aac',
  aiff: 'audio/aiff',
  flac: 'audio/flac',
  m4a: 'audio/mp4',
  mp3: 'audio/mpeg',
  mp4: 'audio/mp4',
  mpeg: 'audio/mpeg',
  mpga: 'audio/mpeg',
  oga: 'audio/ogg',
  ogg: 'audio/ogg',
  opus: 'audio/ogg',
  wav: 'audio/wav',
  webm: 'audio/webm',
};

/** What its part says, else what the end of its name says; undefined: neither does. */
export function mediaTypeOf({ audio }: TranscriptionRequest): string | undefined {
  const { mediaType, filename = '' } = audio;
  if (mediaType !== undefined && !/^application\/octet-stream/i.test(mediaType))
    return mediaType.replace(/^audio\/x-wav/i, 'audio/wav');
  return TYPES[filename.slice(filename.lastIndexOf('.') + 1).toLowerCase()];
}

/** Speakers are told apart where its provider is asked to. */
export function wantsSpeakers({ format }: TranscriptionRequest): boolean {
  return format === 'diarized_json';
}

/** A provider that tells no times cannot write captions. */
export function refusedTimes(provider: string, { format }: TranscriptionRequest): GatewayError | undefined {
  if (format === 'json' || format === 'text') return undefined;
  const detail = `${provider} tells no times, so there is no ${format}; it has json and text.`;
  return new GatewayError('unsupported_parameter', { param: 'response_format', detail });
}

export function refusedSpeakers(provider: string, request: TranscriptionRequest): GatewayError | undefined {
  if (!wantsSpeakers(request)) return undefined;
  const detail = `${provider} tells no speakers apart, so there is no diarized_json.`;
  return new GatewayError('unsupported_parameter', { param: 'response_format', detail });
}

/** Words or segments: `text` and `speaker` under the keys of the vendor. What has no times is left out. */
export function spokenParts(list: unknown, textKey: string, speakerKey: string): SpokenPart[] | undefined {
  if (!isArray(list)) return undefined;
  const parts: SpokenPart[] = [];
  for (const each of list) {
    if (!isObject(each)) continue;
    const text = stringOf(each[textKey]);
    const [start, end] = [countOf(each['start']), countOf(each['end'])];
    if (text === undefined || start === undefined || end === undefined) continue;
    const speaker = each[speakerKey];
    const isNamed = typeof speaker === 'string' || typeof speaker === 'number';
    parts.push({ text, start, end, ...(isNamed && { speaker: String(speaker) }) });
  }
  return parts;
}
