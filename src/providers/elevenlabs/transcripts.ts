import { countOf, isArray, isObject, stringOf } from '../../codec/json-value.ts';
import { recordingForm, spokenParts, transcriptionWire, wantsSpeakers } from '../base/transcription.ts';

/** https://elevenlabs.io/docs/api-reference/speech-to-text/convert */
export const elevenLabsTranscripts = transcriptionWire({
  name: 'elevenlabs-speech-to-text',
  path: '/v1/speech-to-text',
  toRequest(request) {
    const { model, language, extra } = request;
    const own = new Set(extra.map(([name]) => name));
    return recordingForm(request, [
      ['model_id', model],
      ['language_code', language],
      // Else laughter and music stand in the text, which OpenAI's transcripts never have.
      ['tag_audio_events', own.has('tag_audio_events') ? undefined : false],
      ['diarize', wantsSpeakers(request) && !own.has('diarize') ? true : undefined],
      ...extra,
    ]);
  },
  fromAnswer(answer) {
    const text = stringOf(answer['text']);
    if (text === undefined) return undefined;
    const all = answer['words'];
    // What lies between words, and sounds, are entries as well.
    const spoken = isArray(all)
      ? all.filter((each) => isObject(each) && (each['type'] ?? 'word') === 'word')
      : undefined;
    const words = spokenParts(spoken, 'text', 'speaker_id');
    return {
      text,
      language: stringOf(answer['language_code']),
      durationSeconds: countOf(answer['audio_duration_secs']) ?? words?.at(-1)?.end,
      words,
    };
  },
});
