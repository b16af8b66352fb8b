import { parseExact } from '../../codec/exact-json.ts';
import type { Edit } from '../../codec/key-rules.ts';
import type { SpliceEdits } from '../dialect.ts';
import { quoted } from './edited-body.ts';

const ASK_USAGE = Buffer.from(',"stream_options":{"include_usage":true}');

/** Where those values stand in a request body that a request for a stream may be edited at. */
export interface StreamedPlaces {
  /** The JSON string of `model`, quotes included. */
  readonly modelStart: number;
  readonly modelEnd: number;
  /** The value of `stream_options`; -1 where it is absent. */
  readonly streamOptionsStart: number;
  readonly streamOptionsEnd: number;
}

/** The provider's model, and usage asked for where the client did not; in the order in which they stand. */
export function streamedEdits(body: Buffer, places: StreamedPlaces, { modelId, askUsage }: SpliceEdits): Edit[] {
  const model: Edit = { start: places.modelStart, end: places.modelEnd, bytes: quoted(modelId) };
  if (!askUsage) return [model];
  const usage = askingForUsage(body, places);
  return usage.start < places.modelStart ? [usage, model] : [model, usage];
}

function askingForUsage(body: Buffer, places: StreamedPlaces): Edit {
  const { modelEnd, streamOptionsStart: start, streamOptionsEnd: end } = places;
  if (start < 0) return { start: modelEnd, end: modelEnd, bytes: ASK_USAGE };
  const options: unknown = parseExact(body.toString('utf8', start, end));
  return { start, end, bytes: Buffer.from(JSON.stringify({ ...(options as object | null), include_usage: true })) };
}
