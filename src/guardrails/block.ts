import type { Hook } from '../config/guardrails/guardrails.ts';
import { type ErrorCode, GatewayError } from '../core/errors.ts';

/** A guard that refused, or could not say. */
export interface Objection {
  readonly guardrail: string;
  readonly result: 'failed' | 'error';
  readonly message: string;
  readonly errorMessage: string | undefined;
}

const SIDES: Readonly<Record<Hook, { readonly title: string; readonly key: string }>> = {
  'llm-input': { title: 'Input', key: 'input_guardrails' },
  'llm-output': { title: 'Output', key: 'output_guardrails' },
  'mcp-pre': { title: 'MCP tool input', key: 'mcp_tool_pre_invoke_guardrails' },
  'mcp-post': { title: 'MCP tool output', key: 'mcp_tool_post_invoke_guardrails' },
};

/** The reference product's answer: which guards refused, as `guardrail_checks` beside the error. */
export function blocked(hook: Hook, objections: readonly Objection[]): GatewayError {
  const { title, key } = SIDES[hook];
  const names = objections.map(({ guardrail }) => guardrail).join(', ');
  const told = objections.map(({ message }) => message).join(' ');
  const custom = objections.find(({ errorMessage }) => errorMessage !== undefined)?.errorMessage;
  const summary = `${title} Guardrail checks failed for integrations: [${names}]`;
  const message = custom === undefined ? summary : custom.replaceAll('{{guardrail_message}}', () => told);
  const code: ErrorCode = objections.some(({ result }) => result === 'failed')
    ? 'guardrail_blocked'
    : 'guardrail_unavailable';
  const status = code === 'guardrail_blocked' ? 400 : 503;
  return new GatewayError(code, {
    detail: custom === undefined ? `${summary}. ${told}` : message,
    upstreamCode: String(status),
    beside: {
      status: 'failure',
      message,
      guardrail_checks: {
        [key]: objections.map(({ guardrail, result, message: explanation }) => ({
          guardrail_integration: guardrail,
          result,
          data: { verdict: false, explanation },
        })),
      },
    },
  });
}
