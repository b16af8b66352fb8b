import { readBatchLine } from '../files/batch-lines.ts';
import { linesOf } from '../files/blob-lines.ts';
import type { BlobReader } from '../files/blob-store.ts';
import type { BatchFault, BatchPiece } from '../store/batches.ts';

/** What one thread runs before it asks for more: gateways and threads share a batch by pieces. */
const MAX_PIECE_LINES = 64;
const MAX_PIECE_BYTES = 1_048_576;
/** So many faults are told. */
const MAX_FAULTS = 100;

export interface InputRules {
  readonly maxLineBytes: number;
  /** Without base path. */
  readonly endpoint: string;
  withoutBasePath(url: string): string;
}

/** The input of a batch in pieces, or what is wrong with its lines. Throws a BlobFault. */
export async function checkInput(
  blob: BlobReader,
  { maxLineBytes, endpoint, withoutBasePath }: InputRules,
): Promise<{ pieces: BatchPiece[] } | { faults: BatchFault[] }> {
  const pieces: BatchPiece[] = [];
  const faults: BatchFault[] = [];
  let number = 0;
  let piece = { firstLine: 0, lines: 0, fromByte: 0, toByte: 0 };
  const cut = (at: number): void => {
    if (piece.lines > 0) pieces.push({ piece: pieces.length, ...piece });
    piece = { firstLine: number, lines: 0, fromByte: at, toByte: at };
  };
  for await (const { bytes, start, end } of linesOf(blob, 0, blob.bytes, maxLineBytes)) {
    const isFull = piece.lines >= MAX_PIECE_LINES || end - piece.fromByte > MAX_PIECE_BYTES;
    if (isFull || piece.lines === 0) cut(start);
    piece.lines += 1;
    piece.toByte = end;
    number += 1;
    const fault = faultOf(bytes);
    if (fault !== undefined && faults.push({ ...fault, line: number }) >= MAX_FAULTS) break;
  }
  cut(blob.bytes);
  if (faults.length > 0) return { faults };
  if (pieces.length > 0) return { pieces };
  return { faults: [{ code: 'empty_file', message: 'The input file has no line.', line: undefined }] };

  function faultOf(bytes: Buffer): { code: string; message: string } | undefined {
    const line = readBatchLine(bytes);
    if (typeof line === 'string') return { code: 'invalid_line', message: `Of this line ${line}.` };
    if (withoutBasePath(line.url) === endpoint) return undefined;
    return {
      code: 'mismatched_endpoint',
      message: `The url of this line is not ${endpoint}, as that of the batch is.`,
    };
  }
}
