import { createRequire } from 'node:module';

/** What of a request a condition may be about. */
export interface ConditionValues {
  readonly subject: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** `chat`, `embedding`, … */
  readonly operation: string;
  readonly stream: boolean;
  readonly body_bytes: number;
  /** 0: the client set none. */
  readonly max_output_tokens: number;
  /** The hour of the day, UTC. */
  readonly hour: number;
}

export type Condition = (values: ConditionValues) => boolean;

type Cel = typeof import('@marcbachmann/cel-js');
type Environment = InstanceType<Cel['Environment']>;

const MAX_CHARACTERS = 1_000;
const LIMITS = { maxAstNodes: 200, maxDepth: 32, maxListElements: 64, maxMapEntries: 64, maxCallArguments: 8 };
/** They go over what a client sends, as often as they are nested; a regular expression may go back without end. */
const UNBOUNDED = /\.\s*(all|exists|exists_one|map|filter|matches)\s*\(|\bmatches\s*\(/;

let environment: Environment | undefined;

/** The package is loaded with the first condition. */
function conditions(): Environment {
  if (environment === undefined) {
    const { Environment }: Cel = createRequire(import.meta.url)('@marcbachmann/cel-js');
    environment = new Environment({ limits: LIMITS })
      .registerVariable('subject', 'string')
      .registerVariable('metadata', 'map<string, string>')
      .registerVariable('operation', 'string')
      .registerVariable('stream', 'bool')
      .registerVariable('body_bytes', 'int')
      .registerVariable('max_output_tokens', 'int')
      .registerVariable('hour', 'int');
  }
  return environment;
}

/**
 * A condition in CEL, compiled; or in words why it is none. What it costs to evaluate is bounded by its own length: it has
 * no loops and no regular expressions. https://github.com/google/cel-spec
 */
export function compileCondition(text: string): Condition | string {
  if (text.length > MAX_CHARACTERS) return `it has more than ${MAX_CHARACTERS} characters`;
  const [, macro] = UNBOUNDED.exec(text) ?? [];
  if (UNBOUNDED.test(text)) return `\`${macro ?? 'matches'}\` is not allowed: what it costs has no bound`;
  let evaluate: ReturnType<Environment['parse']>;
  try {
    evaluate = conditions().parse(text);
    const { valid, type, error } = evaluate.check();
    if (!valid) return firstLine(error);
    if (type !== 'bool' && type !== 'dyn') return `it is of type ${type} and no bool`;
  } catch (error) {
    return firstLine(error);
  }
  return (values) => {
    try {
      return evaluate(written(values)) === true;
    } catch {
      // A key that the request has not, say: what cannot be told does not hold.
      return false;
    }
  };
}

/** Whole numbers of CEL. */
function written({ body_bytes, max_output_tokens, hour, ...others }: ConditionValues): Record<string, unknown> {
  return {
    ...others,
    body_bytes: BigInt(body_bytes),
    max_output_tokens: BigInt(Math.trunc(max_output_tokens)),
    hour: BigInt(hour),
  };
}

function firstLine(error: unknown): string {
  const [line = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
  return line;
}
