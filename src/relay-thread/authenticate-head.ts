import type { KeyRing } from '../authentication/authenticate.ts';
import { presentedKey } from '../authentication/presented-key.ts';
import type { ServerSettings } from '../config/server/server-settings.ts';
import { GatewayError } from '../core/errors.ts';
import type { EdgeOptions } from '../edge/edge.ts';
import { addressAsked } from './oauth-routes.ts';

const NO_KEY = new GatewayError('missing_api_key');

/** Finds the principal of a request by the key in its head. */
export function authenticateHead(
  keyRing: Pick<KeyRing, 'lookupAt'>,
  settings: () => ServerSettings,
): EdgeOptions['authenticate'] {
  return (head, side, audience) => {
    const key = presentedKey(head.authorization, head.xApiKey, head.apiKey, head.vendorKey);
    if (key === undefined) return NO_KEY;
    // Tokens that are good at one address alone are good at that one.
    const address = audience ?? (head.url.includes('mcp') ? addressAsked(settings(), head) : undefined);
    return keyRing.lookupAt(address, key, side);
  };
}
