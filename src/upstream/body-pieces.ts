/**
 * A socket takes what it can in one call: on a fast line ten megabytes, and as many milliseconds in which nobody else is
 * served. Between pieces, where the socket is full, the loop turns and serves others.
 */
const PIECE_BYTES = 262_144;

/**
 * Small bodies as they are, large ones as pieces. `onSent` is called once the last piece has left our memory: undici asks
 * for the next piece when the one before has drained, and no socket takes a whole piece without draining. A smaller piece
 * might still wait then, so it is a copy.
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
