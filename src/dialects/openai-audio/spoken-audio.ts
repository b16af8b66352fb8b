import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { InferenceEvent } from '../../inference/event.ts';
import type { AnswerContext } from '../answer-form.ts';
import type { LabelledBody } from '../dialect.ts';

const WAV_HEAD_BYTES = 44;
const BYTES_PER_SAMPLE = 2;
/** What providers that name none speak. */
const USUAL_RATE = 24_000;

/** Audio that came within JSON, as bytes. Samples without a header get that of a WAV file, unless they were asked for. */
export function fromInference(events: readonly InferenceEvent[], { format }: AnswerContext): OrError<LabelledBody> {
  const pieces: Buffer[] = [];
  let mediaType = 'application/octet-stream';
  for (const event of events) {
    if (event.type !== 'audio') continue;
    pieces.push(Buffer.from(event.base64, 'base64'));
    ({ mediaType } = event);
  }
  const audio = Buffer.concat(pieces);
  if (audio.length === 0) return new GatewayError('upstream_protocol', { detail: 'Its answer has no audio.' });
  const [, rate] = /^audio\/(?:l16|pcm)\b(?:.*\brate=(\d+))?/i.exec(mediaType) ?? [undefined, undefined];
  const isSamples = /^audio\/(l16|pcm)\b/i.test(mediaType);
  if (!isSamples) return { body: audio, contentType: mediaType };
  if (format === 'pcm') return { body: audio, contentType: 'audio/pcm' };
  return { body: Buffer.concat([wavHead(audio.length, Number(rate ?? USUAL_RATE)), audio]), contentType: 'audio/wav' };
}

/** One channel of 16 bits: http://soundfile.sapp.org/doc/WaveFormat/ */
function wavHead(bytes: number, rate: number): Buffer {
  const head = Buffer.alloc(WAV_HEAD_BYTES);
  head.write('RIFF', 0, 'latin1');
  head.writeUInt32LE(WAV_HEAD_BYTES - 8 + bytes, 4);
  head.write('WAVEfmt ', 8, 'latin1');
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(rate, 24);
  head.writeUInt32LE(rate * BYTES_PER_SAMPLE, 28);
  head.writeUInt16LE(BYTES_PER_SAMPLE, 32);
  head.writeUInt16LE(8 * BYTES_PER_SAMPLE, 34);
  head.write('data', 36, 'latin1');
  head.writeUInt32LE(bytes, 40);
  return head;
}
