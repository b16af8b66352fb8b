import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { InferenceEvent, Transcript } from '../../inference/event.ts';
import type { SpokenPart } from '../../inference/transcription.ts';
import { mergeUsage, type Usage } from '../../inference/usage.ts';
import type { AnswerContext } from '../answer-form.ts';
import type { LabelledBody } from '../dialect.ts';
import { captionsOf } from './captions.ts';

const TEXT = 'text/plain; charset=utf-8';

/** A transcript in the form that the client asked for: https://platform.openai.com/docs/api-reference/audio/json-object */
export function writeTranscript(
  events: readonly InferenceEvent[],
  { format = 'json' }: AnswerContext,
): OrError<Buffer | LabelledBody> {
  const usage: Usage = {};
  let transcript: Transcript | undefined;
  for (const event of events) {
    if (event.type === 'usage') mergeUsage(usage, event.usage);
    else if (event.type === 'transcript') ({ transcript } = event);
  }
  if (transcript === undefined) return new GatewayError('upstream_protocol', { detail: 'It has no transcript.' });
  const { text } = transcript;
  switch (format) {
    case 'text':
      return { body: Buffer.from(`${text}\n`), contentType: TEXT };
    case 'srt':
    case 'vtt': {
      const captions = captionsOf(transcript);
      if (captions === undefined) return new GatewayError('upstream_protocol', { detail: 'It tells no times.' });
      return format === 'srt'
        ? { body: Buffer.from(srt(captions)), contentType: TEXT }
        : { body: Buffer.from(vtt(captions)), contentType: 'text/vtt; charset=utf-8' };
    }
    case 'verbose_json':
      return json(verbose(transcript, usage));
    case 'diarized_json':
      return json(diarized(transcript, usage));
    default:
      return json({ text, ...told(transcript, usage) });
  }
}

function json(value: object): Buffer {
  return Buffer.from(JSON.stringify(value));
}

/** What nobody told is left out: nothing here is made up. */
function verbose(transcript: Transcript, usage: Usage): object {
  const { text, language, durationSeconds: duration, words } = transcript;
  const segments = captionsOf(transcript)?.map(({ start, end, text, speaker }, id) => ({
    id,
    start,
    end,
    text,
    speaker,
  }));
  const spoken = words?.map(({ text: word, start, end }) => ({ word, start, end }));
  return { task: 'transcribe', language, duration, text, words: spoken, segments, ...told(transcript, usage) };
}

function diarized(transcript: Transcript, usage: Usage): object {
  const { text, durationSeconds: duration } = transcript;
  const segments = captionsOf(transcript)?.map(({ start, end, text, speaker }, index) => ({
    type: 'transcript.text.segment',
    id: `seg_${index}`,
    start,
    end,
    text,
    speaker,
  }));
  return { task: 'transcribe', duration, text, segments: segments ?? [], ...told(transcript, usage) };
}

function told({ durationSeconds }: Transcript, { inputTokens, outputTokens, audioInputTokens }: Usage): object {
  if (inputTokens !== undefined && outputTokens !== undefined) {
    const parts = audioInputTokens === undefined ? undefined : { audio_tokens: audioInputTokens };
    return {
      usage: {
        type: 'tokens',
        input_tokens: inputTokens,
        output_tokens: outputTokens,
        total_tokens: inputTokens + outputTokens,
        input_token_details: parts && { text_tokens: inputTokens - audioInputTokens!, ...parts },
      },
    };
  }
  return durationSeconds === undefined ? {} : { usage: { type: 'duration', seconds: durationSeconds } };
}

/** https://en.wikipedia.org/wiki/SubRip#Format */
function srt(captions: readonly SpokenPart[]): string {
  return captions
    .map(({ start, end, text }, index) => `${index + 1}\n${clock(start, ',')} --> ${clock(end, ',')}\n${text}\n\n`)
    .join('');
}

/** https://www.w3.org/TR/webvtt1/ */
function vtt(captions: readonly SpokenPart[]): string {
  const cues = captions.map(
    ({ start, end, text }) => `${clock(start, '.')} --> ${clock(end, '.')}\n${escaped(text)}\n\n`,
  );
  return `WEBVTT\n\n${cues.join('')}`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('-->', '--&gt;');
}

function clock(seconds: number, point: string): string {
  const ms = Math.max(0, Math.round(seconds * 1000));
  const two = (value: number) => String(Math.trunc(value)).padStart(2, '0');
  return `${two(ms / 3_600_000)}:${two((ms / 60_000) % 60)}:${two((ms / 1000) % 60)}${point}${String(ms % 1000).padStart(3, '0')}`;
}
