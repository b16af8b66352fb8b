import type { Edit } from '../../codec/key-rules.ts';
import type { OrError } from '../../core/exchange.ts';
import type { SpliceEdits } from '../dialect.ts';
import { editedBody, quoted } from '../openai-json/edited-body.ts';
import { foreignEdits } from './carried-proofs.ts';
import type { PeekedResponses } from './peek.ts';

/** The body for a provider that speaks this form: its own model id, and nothing that our answers carry for other vendors. */
export function splice(body: Buffer, peeked: PeekedResponses, { modelId }: SpliceEdits): OrError<Buffer | Buffer[]> {
  const model: Edit = { start: peeked.modelStart, end: peeked.modelEnd, bytes: quoted(modelId) };
  const { input } = peeked.state ?? {};
  const foreign = input === undefined || input.start < 0 ? [] : foreignEdits(body, input.start, input.end);
  const edits = foreign.length === 0 ? [model] : [...foreign, model].sort((one, other) => one.start - other.start);
  return editedBody(body, edits);
}
