import { parseObject, stringOf } from '../../codec/json-value.ts';
import { dataEvent } from '../../codec/sse-writer.ts';

/*
 * Answers in one piece as the events of this form: some models ignore that a stream was asked for (whisper-1, tts-1).
 */

/** https://platform.openai.com/docs/api-reference/audio/transcript-text-done-event */
export function transcriptEvents(answer: Buffer): Buffer {
  const whole = answer.toString('utf8');
  const told = parseObject(whole);
  const text = (told === undefined ? whole : stringOf(told['text'])) ?? '';
  const usage = told?.['usage'];
  const done = { type: 'transcript.text.done', text, ...(usage !== undefined && { usage }) };
  return Buffer.concat([
    dataEvent(JSON.stringify({ type: 'transcript.text.delta', delta: text })),
    dataEvent(JSON.stringify(done)),
    dataEvent('[DONE]'),
  ]);
}

/** https://platform.openai.com/docs/api-reference/audio/speech-audio-delta-event */
export function speechEvents(answer: Buffer): Buffer {
  return Buffer.concat([
    dataEvent(JSON.stringify({ type: 'speech.audio.delta', audio: answer.toString('base64') })),
    dataEvent(JSON.stringify({ type: 'speech.audio.done' })),
  ]);
}
