import { crc32 } from 'node:zlib';

/*
 * A segment: 8 bytes of magic, then frames. A frame: length (4 bytes, little endian), CRC-32 of what follows (4), and a
 * batch of records as telemetry/encode-batch.ts encodes it. A crash leaves at most the last frame torn; its checksum says
 * so. Behind the last frame may be zeros: room that was reserved for further ones.
 */
export const MAGIC = Buffer.from('sluice1\n');
export const FRAME_HEAD_BYTES = 8;
/** 512 records with the longest texts there are stay far below; more is no length but rubbish. */
export const MOST_FRAME_BYTES = 64 * 1024 * 1024;

export function writeFrameHead(into: Buffer, frame: Uint8Array): void {
  into.writeUInt32LE(frame.length, 0);
  into.writeUInt32LE(crc32(frame), 4);
}

export type FrameRead =
  | { readonly frame: Buffer; readonly next: number }
  /** So many bytes from `offset` on are needed to say more. */
  | { readonly needs: number }
  /** Nothing was written here yet. */
  | 'blank'
  | 'torn';

/** The frame that begins at `offset` of what was read of a segment. */
export function readFrame(bytes: Buffer, offset: number): FrameRead {
  if (bytes.length - offset < FRAME_HEAD_BYTES) return { needs: FRAME_HEAD_BYTES };
  const length = bytes.readUInt32LE(offset);
  if (length > MOST_FRAME_BYTES) return 'torn';
  if (length === 0) return bytes.readUInt32LE(offset + 4) === 0 ? 'blank' : 'torn';
  const next = offset + FRAME_HEAD_BYTES + length;
  if (next > bytes.length) return { needs: FRAME_HEAD_BYTES + length };
  const frame = bytes.subarray(offset + FRAME_HEAD_BYTES, next);
  return crc32(frame) === bytes.readUInt32LE(offset + 4) ? { frame, next } : 'torn';
}
