import { isIPv4, isIPv6 } from 'node:net';

/**
 * Addresses at which clouds give a machine its credentials: no server that somebody names may be one. All link-local
 * addresses are meant (RFC 3927, RFC 4291 §2.5.6), and the few that clouds chose elsewhere.
 */
export function isMetadataAddress(address: string): boolean {
  const text = address
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/%.*$/, '');
  if (isIPv4(text)) return text.startsWith('169.254.') || CHOSEN.has(text);
  if (!isIPv6(text)) return NAMES.has(text.replace(/\.$/, ''));
  const mapped = mappedIPv4(text);
  if (mapped !== undefined) return isMetadataAddress(mapped);
  return /^fe[89ab]/.test(text) || CHOSEN.has(text);
}

const CHOSEN = new Set(['100.100.100.200', '192.0.0.192', '168.63.129.16', 'fd00:ec2::254', 'fd20:ce::254']);
const NAMES = new Set(['metadata', 'metadata.google.internal', 'instance-data', 'instance-data.ec2.internal']);

/** An IPv4 address in the form of an IPv6 one, dotted or as a URL writes it (`::ffff:a9fe:a9fe`). */
function mappedIPv4(text: string): string | undefined {
  const dotted = /^(?:::ffff:|64:ff9b::|::)(\d+\.\d+\.\d+\.\d+)$/.exec(text)?.[1];
  if (dotted !== undefined) return dotted;
  const match = /^(?:::ffff:|64:ff9b::|::)([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(text);
  if (match === null) return undefined;
  const [high, low] = [Number.parseInt(match[1]!, 16), Number.parseInt(match[2]!, 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}
