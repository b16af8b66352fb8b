import { type ErrorContext, GatewayError } from '../core/errors.ts';
import type { Target } from '../providers/provider.ts';

/** What a provider says in its stream instead of content, or among it. Its `code` is an HTTP status with some. */
export function streamError(error: unknown): GatewayError {
  const field = (name: string): unknown =>
    typeof error === 'object' && error !== null ? Reflect.get(error, name) : undefined;
  const message = field('message');
  const code = field('code');
  const type = field('type');
  return failureOf(typeof code === 'number' ? code : undefined, {
    detail: typeof message === 'string' ? message.slice(0, 1024) : undefined,
    upstreamType: typeof type === 'string' ? type : undefined,
    upstreamCode: typeof code === 'string' ? code : undefined,
  });
}

/** An error event that may say which HTTP status it would have been. */
export function failureOf(status: number | undefined, context: ErrorContext): GatewayError {
  if (status === 429) return new GatewayError('upstream_rate_limited', context);
  if (status === 503 || status === 529) return new GatewayError('upstream_overloaded', context);
  return new GatewayError('upstream_stream_error', context);
}

/** The error without what a provider's words quote of our credentials; the very same where they quote nothing. */
export function withoutSecrets(error: GatewayError, { mounts }: Target): GatewayError {
  let { detail, param, upstreamType, upstreamCode } = error.context;
  for (const { credential } of [...mounts.values()].flat()) {
    detail &&= credential.redact(detail);
    param &&= credential.redact(param);
    upstreamType &&= credential.redact(upstreamType);
    upstreamCode &&= credential.redact(upstreamCode);
  }
  const { context } = error;
  const isClean =
    detail === context.detail &&
    param === context.param &&
    upstreamType === context.upstreamType &&
    upstreamCode === context.upstreamCode;
  return isClean ? error : new GatewayError(error.code, { ...context, detail, param, upstreamType, upstreamCode });
}
