import { countOf, stringOf } from '../../codec/json-value.ts';
import { recordingForm, refusedTimes, transcriptionWire } from '../base/transcription.ts';

/** https://docs.cohere.com/reference/create-audio-transcription */
export const cohereTranscripts = transcriptionWire({
  name: 'cohere-transcriptions',
  path: '/v2/audio/transcriptions',
  toRequest(request) {
    const { model, language, extra } = request;
    return (
      refusedTimes('Cohere', request) ?? recordingForm(request, [['model', model], ['language', language], ...extra])
    );
  },
  fromAnswer(answer) {
    const text = stringOf(answer['text']);
    // It begins with the blank that stands between words.
    return text === undefined ? undefined : { text: text.trim(), durationSeconds: countOf(answer['duration']) };
  },
});
