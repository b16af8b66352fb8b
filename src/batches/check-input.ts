import { readBatchLine } from '../files/batch-lines.ts';
import { linesOf } from '../files/blob-lines.ts';
import type { BlobReader } from '../files/blob-store.ts';
import type { BatchPiece } from '../store/batch-pieces.ts';
import type { BatchFault } from '../store/batches.ts';

/** What one thread runs before it asks for more: gateways and threads share a batch by pieces, so it has some 32 of them. */
const PIECES = 32;
const PIECE_LINES = { least: 16, most: 256 };
const MAX_PIECE_BYTES = 1_048_576;
/** So many faults are told. */
const MAX_FAULTS = 100;

export interface InputRules {
  readonly maxLineBytes: number;
  /** The endpoint of the batch. */
  readonly endpoint: string;
  withoutBasePath(url: string): string;
}

/** The input of a batch in pieces, or what is wrong with its lines. Throws a BlobFault. */
export async function checkInput(
  blob: BlobReader,
  { maxLineBytes, endpoint, withoutBasePath }: InputRules,
): Promise<{ pieces: BatchPiece[] } | { faults: BatchFault[] }> {
  const path = withoutBasePath(endpoint);
  const url = JSON.stringify(endpoint);
  /** What stands nowhere but at the top of a line, but for a body that names such an address itself. */
  const urls = [`"url":${url}`, `"url": ${url}`].map((text) => Buffer.from(text));
  /** Where the lines begin. */
  const starts: number[] = [];
  const faults: BatchFault[] = [];
  for await (const lines of linesOf(blob, 0, blob.bytes, maxLineBytes)) {
    for (const { bytes, start } of lines) {
      starts.push(start);
      const fault = faultOf(bytes);
      if (fault !== undefined) faults.push({ ...fault, line: starts.length });
    }
    if (faults.length >= MAX_FAULTS) break;
  }
  if (faults.length > 0) return { faults: faults.slice(0, MAX_FAULTS) };
  if (starts.length > 0) return { pieces: piecesOf(starts, blob.bytes) };
  return { faults: [{ code: 'empty_file', message: 'The input file has no line.', line: undefined }] };

  function faultOf(bytes: Buffer): { code: string; message: string } | undefined {
    // Each line was checked when the file came, and is read again when it is run.
    if (urls.some((url) => bytes.includes(url))) return undefined;
    const line = readBatchLine(bytes);
    if (typeof line === 'string') return { code: 'invalid_line', message: `Of this line ${line}.` };
    if (withoutBasePath(line.url) === path) return undefined;
    return {
      code: 'mismatched_endpoint',
      message: `The url of this line is not ${endpoint}, as that of the batch is.`,
    };
  }
}

function piecesOf(starts: readonly number[], bytes: number): BatchPiece[] {
  const lines = Math.min(PIECE_LINES.most, Math.max(PIECE_LINES.least, Math.ceil(starts.length / PIECES)));
  const pieces: BatchPiece[] = [];
  for (let first = 0; first < starts.length; ) {
    const fromByte = starts[first]!;
    let next = first + 1;
    const endOf = (line: number): number => starts[line + 1] ?? bytes;
    while (next < starts.length && next - first < lines && endOf(next) - fromByte <= MAX_PIECE_BYTES) next += 1;
    const piece = { piece: pieces.length, firstLine: first, lines: next - first, fromByte, toByte: endOf(next - 1) };
    pieces.push(piece);
    first = next;
  }
  return pieces;
}
