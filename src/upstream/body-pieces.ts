/**
 * A socket takes what it can in one call: on a fast line that is ten megabytes and as many milliseconds in which nobody
 * else is served. In pieces, each followed by a turn of the loop where the socket is full, neighbours come in between.
 */
const PIECE_BYTES = 262_144;

/**
 * Small bodies as they are; large ones as pieces. `onSent` is called once the last piece has left our memory: undici
 * asks for the next piece when the one before has drained, and a whole piece is more than any socket takes without
 * draining. Smaller ones might still wait then, so those are copies.
 */
export function bodyPieces(body: Buffer | readonly Buffer[], onSent?: () => void): Buffer | Iterable<Buffer> {
  if (!Buffer.isBuffer(body)) return cut(body, onSent);
  return body.length <= PIECE_BYTES ? body : cut([body], onSent);
}

function* cut(parts: readonly Buffer[], onSent: (() => void) | undefined): Generator<Buffer, void, unknown> {
  for (const part of parts) {
    for (let at = 0; at < part.length; at += PIECE_BYTES) {
      const piece = part.subarray(at, at + PIECE_BYTES);
      yield piece.length === PIECE_BYTES ? piece : Buffer.from(piece);
    }
  }
  onSent?.();
}
