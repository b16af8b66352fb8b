import type { PathSegment } from './fault.ts';

/**
 * Keys whose value is a secret, by name: their values are never shown in a fault, and `check` warns where they stand
 * literally in a file. `auth_data` and `keys` are here because a secret written one level too high is one as well.
 */
const secretKeys = new Set(
  `api_key apiKey further_api_keys key keys admin_key bearer_token password token api_token pat_token auth_data
   secret_access_key access_key access_key_secret client_secret oauth_secret secret_id private_key
   secret session_token refresh_token certificate key_file_content connection_string bot_token integration_key webhook_url`.split(
    /\s+/,
  ),
);

/** Lists of conditions and of session identifiers, in which `key` is the name of what is compared. */
const conditions = new Set(['when', 'filters', 'session_identifiers']);

/** Their keys are names of headers, or of variables of a child process. */
const headerMaps = new Set(['headers', 'additional_headers', 'env']);

const secretHeader = /authorization|cookie|key|token|secret|password/i;

/** Whether a header of this name holds a secret. */
export function isSecretHeader(name: string): boolean {
  return secretHeader.test(name);
}

/** Whether the value at this path is a secret. Segments of lists are looked through: `keys[0]` counts as `keys`. */
export function isSecretPath(path: readonly PathSegment[]): boolean {
  const names = path.filter((segment) => typeof segment === 'string');
  const name = names.at(-1);
  if (name === undefined) return false;
  const parent = names.at(-2);
  if (name === 'key' && parent !== undefined && conditions.has(parent)) return false;
  if (secretKeys.has(name)) return true;
  const isHeader = headerMaps.has(parent ?? '') || names.at(-3) === 'headers_override';
  return isHeader && isSecretHeader(name);
}
