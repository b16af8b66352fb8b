import { isArray, isObject, parseObject, stringOf } from '../../codec/json-value.ts';
import { dataEvent } from '../../codec/sse-writer.ts';
import type { ByteEventWriter } from '../answer-form.ts';

const SEGMENT = 'transcript.text.segment';

/*
 * Answers that are no streams as the events of this form: some models ignore that one was asked for (whisper-1, tts-1), and
 * vendors of other forms have none.
 */

/** https://platform.openai.com/docs/api-reference/audio/transcript-text-done-event */
export function transcriptEvents(answer: Buffer): Buffer {
  const whole = answer.toString('utf8');
  const told = parseObject(whole);
  const text = (told === undefined ? whole : stringOf(told['text'])) ?? '';
  const usage = told?.['usage'];
  const done = { type: 'transcript.text.done', text, ...(usage !== undefined && { usage }) };
  const segments = told?.['segments'];
  const spoken = isArray(segments) ? segments.filter((each) => isObject(each) && each['type'] === SEGMENT) : [];
  return Buffer.concat([
    dataEvent(JSON.stringify({ type: 'transcript.text.delta', delta: text })),
    // `diarized_json` says who said what.
    ...spoken.map((each) => dataEvent(JSON.stringify(each))),
    dataEvent(JSON.stringify(done)),
    dataEvent('[DONE]'),
  ]);
}

/** https://platform.openai.com/docs/api-reference/audio/speech-audio-delta-event */
export class SpokenPieces implements ByteEventWriter {
  /** The rest of the last piece: two bytes at the most, so that the base64 of all events can be read as one. */
  #rest: Buffer = Buffer.alloc(0);

  write(bytes: Buffer): Buffer | undefined {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const whole = all.length - (all.length % BASE64_GROUP);
    this.#rest = all.subarray(whole);
    return whole === 0 ? undefined : deltaOf(all.subarray(0, whole));
  }

  end(): Buffer {
    return this.#rest.length === 0 ? DONE : Buffer.concat([deltaOf(this.#rest), DONE]);
  }
}

/** Bytes that four characters of base64 stand for. */
const BASE64_GROUP = 3;
const DONE = dataEvent('{"type":"speech.audio.done"}');

function deltaOf(audio: Buffer): Buffer {
  return dataEvent(`{"type":"speech.audio.delta","audio":"${audio.toString('base64')}"}`);
}

export function speechEvents(answer: Buffer): Buffer {
  return Buffer.concat([deltaOf(answer), DONE]);
}
