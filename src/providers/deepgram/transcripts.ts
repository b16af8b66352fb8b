import { countOf, isArray, objectOf, stringOf } from '../../codec/json-value.ts';
import { mediaTypeOf, spokenParts, transcriptionWire, wantsSpeakers } from '../base/transcription.ts';
import { faultIn } from './fault.ts';

/** https://developers.deepgram.com/reference/speech-to-text/listen-pre-recorded */
export const deepgramTranscripts = transcriptionWire({
  name: 'deepgram-listen',
  path: '/v1/listen',
  faultIn,
  toRequest(request) {
    const { model, audio, language, extra } = request;
    const query = new URLSearchParams({ model, smart_format: 'true', utterances: 'true' });
    if (language !== undefined) query.set('language', language);
    if (wantsSpeakers(request)) query.set('diarize_model', 'latest');
    const written = new Set<string>();
    for (const [name, value] of extra) {
      const plain = name.replace(/\[\]$/, '');
      // Its own lists repeat a name; what is set above gives way.
      if (written.has(plain)) query.append(plain, value);
      else query.set(plain, value);
      written.add(plain);
    }
    query.sort();
    const { start, end } = audio;
    return {
      body: [{ start, end }],
      headers: ['content-type', mediaTypeOf(request) ?? 'application/octet-stream'],
      path: `/v1/listen?${query}`,
    };
  },
  fromAnswer(answer) {
    const results = objectOf(answer['results']);
    const channels = results?.['channels'];
    if (!isArray(channels)) return undefined;
    const best = channels.map((each) => {
      const { alternatives } = objectOf(each) ?? {};
      return isArray(alternatives) ? objectOf(alternatives[0]) : undefined;
    });
    const words = best.flatMap((each) => spokenParts(each?.['words'], 'punctuated_word', 'speaker') ?? []);
    return {
      // Each channel is a recording of its own.
      text: best.map((each) => stringOf(each?.['transcript']) ?? '').join('\n'),
      language: stringOf(objectOf(channels[0])?.['detected_language']),
      durationSeconds: countOf(objectOf(answer['metadata'])?.['duration']),
      segments: spokenParts(results?.['utterances'], 'transcript', 'speaker'),
      words: words.sort((one, other) => one.start - other.start),
    };
  },
});
