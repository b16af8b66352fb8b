/**
 * A socket takes what it can in one call: on a fast line that is ten megabytes and as many milliseconds in which nobody
 * else is served. In pieces, each followed by a turn of the loop where the socket is full, neighbours come in between.
 */
const PIECE_BYTES = 262_144;

/** Small bodies as they are; large ones as pieces that refer to them. */
export function bodyPieces(body: Buffer | readonly Buffer[]): Buffer | Buffer[] {
  if (Buffer.isBuffer(body)) return body.length <= PIECE_BYTES ? body : [...cut(body)];
  const pieces: Buffer[] = [];
  for (const part of body) pieces.push(...cut(part));
  return pieces;
}

function* cut(body: Buffer): Generator<Buffer> {
  for (let at = 0; at < body.length; at += PIECE_BYTES) yield body.subarray(at, at + PIECE_BYTES);
}
