import type { Exchange } from '../core/exchange.ts';
import type { BlobReader } from '../files/blob-store.ts';

/** Bytes that are read at once; so much of a file, and what the client's sink holds, is in memory. */
const READ_BYTES = 65_536;
const ZEROS = Buffer.alloc(READ_BYTES);

/** blob[start, end) to the client, at its pace; whatever goes wrong cuts the answer. Closes the blob. */
export async function sendBlob(blob: BlobReader, start: number, end: number, exchange: Exchange): Promise<void> {
  const { sink } = exchange;
  let wake: (() => void) | undefined;
  const goOn = (): void => wake?.();
  const before = exchange.onAbort;
  sink.onDrained = goOn;
  exchange.onAbort = (reason) => {
    before?.(reason);
    if (reason === 'drain') sink.cut();
    goOn();
  };
  try {
    for (let at = start; at < end && exchange.aborted === undefined; ) {
      const most = Math.min(READ_BYTES, end - at);
      const piece = exchange.method === 'HEAD' ? ZEROS.subarray(0, most) : await read(blob, at, most);
      if (piece.length === 0) throw new Error('the blob is shorter than its row says');
      at += piece.length;
      if (sink.write(piece) || exchange.aborted !== undefined) continue;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    sink.end();
  } catch {
    // Its head is out: the client sees that the answer breaks off.
    sink.cut();
  } finally {
    await blob.close();
  }
}

/** The sink keeps the piece until it has left. */
async function read(blob: BlobReader, at: number, bytes: number): Promise<Buffer> {
  const piece = Buffer.allocUnsafeSlow(bytes);
  return piece.subarray(0, await blob.read(piece, at));
}
