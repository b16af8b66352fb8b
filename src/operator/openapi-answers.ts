import { ERRORS, type ErrorCode } from '../core/errors.ts';
import {
  inferenceParameters,
  limitHeaders,
  ownHeaders,
  unavailableHeaders,
  upstreamHeaders,
} from './openapi-headers.ts';

/** Refusals of the gateway, each told once; operations refer to them. */

function refusal(description: string, headers: object = {}) {
  return {
    description,
    headers: { ...ownHeaders, ...headers },
    content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
  };
}

/** Codes of the error, each with what it means. */
function causes(...codes: ErrorCode[]): string {
  return codes.map((code) => `\`${code}\`: ${ERRORS[code].message}`).join(' ');
}

export const answerComponents = {
  BadRequest: refusal('Invalid parameters; `param` names the one at fault'),
  Unauthorized: refusal('Invalid or missing API key; the connection is closed'),
  Forbidden: refusal('This key may not use this model'),
  NotFound: refusal(
    'There is no such model, and near names are given; or no such file or MCP server (`mcp_server_not_found`)',
  ),
  Timeout: refusal('The body came too slowly, or no token within x-tfy-ttft-timeout-ms'),
  Unsupported: refusal('The body is compressed in a way that is not understood; accept-encoding names those that are'),
  Rejected: refusal('The provider rejected the request, in its own words', upstreamHeaders),
  Failed: refusal('The gateway failed; the log tells why under the exchange id'),
  TooLarge: refusal('The body is larger than the gateway takes'),
  RateLimited: refusal(
    causes(
      'rate_limited',
      'budget_exceeded',
      'upstream_rate_limited',
      'sign_in_limited',
      'socket_queue_full',
      'session_queue_full',
    ),
    limitHeaders,
  ),
  UpstreamFailed: refusal('The provider failed, or refused the gateway’s credential', upstreamHeaders),
  Unavailable: refusal(
    causes(
      'overloaded',
      'body_memory_full',
      'draining',
      'counters_away',
      'cache_away',
      'guardrail_unavailable',
      'ledger_full',
      'issuer_keys_unavailable',
      'upstream_queue_full',
      'out_of_sockets',
      'mcp_unavailable',
      'account_token_missing',
      'upstream_overloaded',
      'database_away',
      'blobs_unavailable',
    ),
    unavailableHeaders,
  ),
  Conflict: refusal('Its state does not allow this'),
  NoSuchRange: refusal('The file has no such range of bytes', { 'content-range': { schema: { type: 'string' } } }),
  UpstreamTimeout: refusal('The provider did not answer in time', upstreamHeaders),
};

/** A reference to one of them. */
export const response = (name: keyof typeof answerComponents) => ({ $ref: `#/components/responses/${name}` });

export const parameter = (name: keyof typeof inferenceParameters) => ({ $ref: `#/components/parameters/${name}` });

/** What every request of inference may say in its head. */
export const INFERENCE_PARAMETERS = Object.keys(inferenceParameters).map((name) => ({
  $ref: `#/components/parameters/${name}`,
}));

/** How whatever asks a provider may be refused. */
export const PROVIDER_REFUSALS = {
  '400': response('BadRequest'),
  '401': response('Unauthorized'),
  '403': response('Forbidden'),
  '404': response('NotFound'),
  '408': response('Timeout'),
  '413': response('TooLarge'),
  '429': response('RateLimited'),
  '502': response('UpstreamFailed'),
  '503': response('Unavailable'),
  '504': response('UpstreamTimeout'),
};
