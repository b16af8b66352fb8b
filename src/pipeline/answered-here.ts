import { GatewayError } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import { ContentTimes } from '../relay/content-times.ts';
import type { RelayResult } from '../relay/relay.ts';
import type { Step } from '../routing/route-plan.ts';
import { promptOf } from '../usage/prompt.ts';
import { UsageMeter } from '../usage/usage-meter.ts';
import type { RequestContext } from './request-context.ts';

const BYTES_PER_TOKEN = 4;

/** The tokens of a prompt, counted by the gateway; where they cannot be counted, its bytes tell. */
export function estimatedTokens({ exchange, dialect, options }: RequestContext, { target }: Step): Promise<number> {
  const { body } = exchange;
  const form = dialect.name;
  const byBytes = Math.ceil(body.length / BYTES_PER_TOKEN);
  const sample = { outputSample: Buffer.alloc(0), outputTotalBytes: 0 };
  const prompt = promptOf(body, body.length);
  return options.estimate({ promptForm: form, answerForm: form, prompt, ...sample, model: target.modelId }).then(
    (estimate) => estimate?.inputTokens ?? byBytes,
    // A client that asks for a count gets one.
    () => byBytes,
  );
}

/** Why it cannot be counted. What only another provider could take is counted all the same. */
export function uncountable({ exchange, dialect }: RequestContext, { target }: Step): GatewayError | undefined {
  const read = dialect.translation?.toInference(exchange.body, target.modelId);
  return read instanceof GatewayError && read.code !== 'unsupported_parameter' ? read : undefined;
}

export function sendEstimate(exchange: Exchange, step: Step, answer: Buffer): void {
  const headers = ['content-type', 'application/json', 'x-sluice-estimated', 'input_tokens'];
  exchange.pushOwnHeaders(headers, 0);
  headers.push('x-tfy-resolved-model', step.target.id);
  exchange.sink.start(200, headers);
  exchange.sink.end(answer);
}

/** As of an exchange that asked no provider. */
export function answeredHere(step: Step, rulesJson: string | undefined): RelayResult {
  return {
    error: undefined,
    status: 200,
    cut: false,
    shortened: undefined,
    rulesJson,
    step,
    target: step.target,
    wireName: undefined,
    meter: new UsageMeter(),
    content: new ContentTimes(),
    sentAt: 0,
    endedAt: 0,
    dispatched: false,
    prompt: undefined,
    upstreamMs: 0,
    attempts: 0,
    attemptsJson: undefined,
    losers: [],
  };
}
