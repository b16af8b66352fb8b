/** What the mock answers beside chats: vectors, audio and transcripts, the same bytes each time. */
import type { HttpResponse } from 'uWebSockets.js';
import type { Stats } from './stats.ts';

const VECTORS = 512;
const DIMENSIONS = 1_536;
const AUDIO_BYTES = 262_144;
const AUDIO_PIECES = 16;

const vector = Buffer.alloc(DIMENSIONS * 4, 0x3d).toString('base64');
const embeddings = JSON.stringify({
  object: 'list',
  data: Array.from({ length: VECTORS }, (_, index) => ({ object: 'embedding', index, embedding: vector })),
  model: 'mock-embeddings',
  usage: { prompt_tokens: 5_120, total_tokens: 5_120 },
});
const transcript = JSON.stringify({ text: 'Water runs downhill.', usage: { type: 'duration', seconds: 300 } });
/** A gateway that keeps files itself asks nobody; nginx, which passes them on, is answered this. */
const file = JSON.stringify({
  id: 'file-1',
  object: 'file',
  bytes: 0,
  created_at: 0,
  filename: 'a',
  purpose: 'assistants',
});
const audio = Buffer.alloc(AUDIO_BYTES / AUDIO_PIECES, 0x55);

/** By the end of the path; undefined: it is none of these. */
export function mediaAnswer(path: string): ((res: HttpResponse, stats: () => Stats) => void) | undefined {
  if (path.endsWith('/embeddings')) return (res, stats) => afterBody(res, stats, () => json(res, embeddings));
  if (path.endsWith('/audio/transcriptions')) return (res, stats) => afterBody(res, stats, () => json(res, transcript));
  if (path.endsWith('/files')) return (res, stats) => afterBody(res, stats, () => json(res, file));
  if (path.endsWith('/audio/speech')) return (res, stats) => afterBody(res, stats, (isOpen) => speak(res, isOpen));
  return undefined;
}

/** The body is counted and forgotten. */
function afterBody(res: HttpResponse, stats: () => Stats, answer: (isOpen: () => boolean) => void): void {
  let open = true;
  stats().requests += 1;
  res.onAborted(() => {
    open = false;
  });
  res.onData((chunk, isLast) => {
    stats().requestBytes += chunk.byteLength;
    if (isLast) answer(() => open);
  });
}

function json(res: HttpResponse, body: string): void {
  res.cork(() => res.writeHeader('content-type', 'application/json').end(body));
}

/** A piece a turn of the loop, as a model server speaks. */
function speak(res: HttpResponse, isOpen: () => boolean): void {
  let left = AUDIO_PIECES;
  const next = (): void => {
    if (!isOpen()) return;
    left -= 1;
    res.cork(() => {
      if (left === AUDIO_PIECES - 1) res.writeHeader('content-type', 'audio/mpeg');
      if (left === 0) res.end(audio);
      else res.write(audio);
    });
    if (left > 0) setImmediate(next);
  };
  next();
}
