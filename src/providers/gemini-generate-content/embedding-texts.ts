import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { EmbeddingRequest } from '../../inference/embedding.ts';

/** What a vector is for, in Google's words: https://ai.google.dev/api/embeddings#v1beta.TaskType */
const TASK_TYPES: ReadonlyMap<string, string> = new Map([
  ['query', 'RETRIEVAL_QUERY'],
  ['document', 'RETRIEVAL_DOCUMENT'],
  ['classification', 'CLASSIFICATION'],
  ['clustering', 'CLUSTERING'],
]);

export interface EmbeddingTexts {
  readonly texts: readonly string[];
  /** As the client wrote it, or in Google's words; undefined: it said nothing. */
  readonly taskType: unknown;
  /** Parameters that nobody here knows. */
  readonly others: Record<string, unknown>;
}

/** What Google's embedding models take of a request, by whichever door they are asked. */
export function embeddingTexts({ inputs, inputType, extra }: EmbeddingRequest): OrError<EmbeddingTexts> {
  const { task_type, taskType = task_type, ...others } = extra;
  const task = taskType ?? (inputType === undefined ? undefined : TASK_TYPES.get(inputType));
  if (inputType !== undefined && task === undefined) {
    return unsupported('input_type', `Google knows ${[...TASK_TYPES.keys()].join(', ')}, not \`${inputType}\`.`);
  }
  const texts = inputs.filter((input) => typeof input === 'string');
  if (texts.length < inputs.length) {
    return unsupported('input', 'Google takes texts, no tokens: its vocabulary is another one.');
  }
  return { texts, taskType: task, others };
}

function unsupported(param: string, detail: string): GatewayError {
  return new GatewayError('unsupported_parameter', { param, detail });
}
