import { countOf, stringOf } from '../../codec/json-value.ts';
import { recordingForm, refusedSpeakers, spokenParts, transcriptionWire } from '../base/transcription.ts';

/** https://docs.cartesia.ai/api-reference/stt/transcribe */
export const cartesiaTranscripts = transcriptionWire({
  name: 'cartesia-stt',
  path: '/stt',
  toRequest(request) {
    const { model, language, wordTimes, segmentTimes, extra } = request;
    return (
      refusedSpeakers('Cartesia', request) ??
      recordingForm(request, [
        ['model', model],
        ['language', language],
        ['timestamp_granularities[]', wordTimes || segmentTimes ? 'word' : undefined],
        ...extra,
      ])
    );
  },
  fromAnswer(answer) {
    const text = stringOf(answer['text']);
    if (text === undefined) return undefined;
    return {
      text,
      language: stringOf(answer['language']),
      durationSeconds: countOf(answer['duration']),
      words: spokenParts(answer['words'], 'word', 'speaker'),
    };
  },
});
