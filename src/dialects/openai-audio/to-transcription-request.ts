import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { ReadForm } from '../../inference/form-part.ts';
import { TRANSCRIPT_FORMATS, type TranscriptionRequest } from '../../inference/transcription.ts';
import { missing, wrong } from '../openai-json/request-scan.ts';

/** What has a place of its own in the neutral request, with these. */
const GRANULARITIES = 'timestamp_granularities';
const READ: ReadonlySet<string> = new Set(['model', 'language', 'response_format', 'stream', GRANULARITIES]);
/** They guide the wording, or cut the recording: the transcript is the same kind of answer without them. */
const HARMLESS: ReadonlySet<string> = new Set(['prompt', 'temperature', 'chunking_strategy']);

/** https://platform.openai.com/docs/api-reference/audio/createTranscription, for a provider of another form. */
export function toTranscriptionRequest(
  { boundary, fields, files }: ReadForm,
  model: string,
  intoEnglish: boolean,
): OrError<TranscriptionRequest> {
  const [audio, ...others] = files;
  if (audio === undefined) return missing('file');
  if (audio.name !== 'file' || others.length > 0) return wrong('file', 'One file is expected, in the part `file`.');
  const texts = new Map(fields);
  const named = texts.get('response_format') || 'json';
  const format = TRANSCRIPT_FORMATS.find((each) => each === named);
  if (format === undefined) return wrong('response_format', `It must be one of ${TRANSCRIPT_FORMATS.join(', ')}.`);
  const times = fields.filter(([name]) => plain(name) === GRANULARITIES).flatMap(([, value]) => value.split(','));
  const extra = fields.filter(([name]) => !READ.has(plain(name)) && !HARMLESS.has(name));
  const refused = extra.find(([name]) => OPENAI_ALONE.has(plain(name)));
  if (refused !== undefined) {
    const param = plain(refused[0]);
    return new GatewayError('unsupported_parameter', { param, detail: `Its provider has nothing for \`${param}\`.` });
  }
  return {
    model,
    audio,
    boundary,
    language: texts.get('language') || undefined,
    format,
    wordTimes: times.includes('word'),
    segmentTimes: times.includes('segment') || (format !== 'json' && format !== 'text'),
    intoEnglish,
    extra,
  };
}

/** Its answer would be another one, and no other provider knows them. */
const OPENAI_ALONE: ReadonlySet<string> = new Set(['include', 'known_speaker_names', 'known_speaker_references']);

/** Lists are written with and without brackets. */
function plain(name: string): string {
  return name.endsWith('[]') ? name.slice(0, -2) : name;
}
