import type { NoVector, PromptVectors } from '../cache/semantic-index.ts';
import { isArray, objectOf, parseObject } from '../codec/json-value.ts';
import type { SemanticCacheLimits } from '../config/server/cache.ts';
import type { Exchange } from '../core/exchange.ts';
import type { Dialect } from '../dialects/dialect.ts';
import type { PipelineOptions } from '../pipeline/pipeline-options.ts';
import { SideQuestions } from './side-question.ts';

export interface PromptVectorsOptions {
  /** In whose form it is asked. */
  readonly dialect: Dialect;
  readonly pipeline: () => PipelineOptions;
  /** Undefined: no model is configured. */
  readonly model: () => string | undefined;
  readonly limits: () => SemanticCacheLimits;
}

/** The bytes of a vector of 16,384 numbers with all their digits. */
const MAX_ANSWER_BYTES = 524_288;

/** Vectors of texts, from the model that the semantic cache is configured with. */
export class ModelVectors implements PromptVectors {
  readonly #options: PromptVectorsOptions;
  readonly #questions: SideQuestions;

  constructor(options: PromptVectorsOptions) {
    this.#options = options;
    this.#questions = new SideQuestions(options.dialect, options.pipeline);
  }

  get model(): string | undefined {
    return this.#options.model();
  }

  async vectorOf(exchange: Exchange, text: string): Promise<readonly number[] | NoVector> {
    const { embeddingTimeoutMs, maxConcurrentEmbeddings } = this.#options.limits();
    const { model } = this;
    const refusal = model === undefined ? 'failed' : this.#questions.refusal(maxConcurrentEmbeddings);
    if (refusal) return refusal;
    const body = { model, input: text, encoding_format: 'float' };
    const question = {
      path: '/embeddings',
      body,
      timeoutMs: embeddingTimeoutMs,
      maxAnswerBytes: MAX_ANSWER_BYTES,
    };
    return this.#questions.ask(exchange, question, vectorIn);
  }
}

function vectorIn(answer: string): readonly number[] | undefined {
  const data = parseObject(answer)?.['data'];
  const vector = isArray(data) ? objectOf(data[0])?.['embedding'] : undefined;
  return isArray(vector) && vector.every((each): each is number => typeof each === 'number') ? vector : undefined;
}
