import { isIPv4, isIPv6 } from 'node:net';
import { z } from 'zod';
import { keyWithDefault, optionalKey, restrictingKey, secretText, text, wholeNumber } from '../scalar-schema.ts';
import { section } from './section.ts';

const port = wholeNumber(0, 65_535);

const hostError = 'an IP address or a host name';
const host = z.string({ error: hostError }).regex(/^[A-Za-z0-9._:%-]{1,253}$/, { error: hostError });

const networkError = 'IP addresses and networks: `10.0.0.1`, `10.0.0.0/8`, `2001:db8::/32`';
const network = z.string({ error: networkError }).refine(isNetwork, { error: networkError });

function isNetwork(value: string): boolean {
  const [address = '', prefix, ...more] = value.split('/');
  const bits = isIPv4(address) ? 32 : isIPv6(address) ? 128 : -1;
  if (bits < 0 || address.includes('%') || more.length > 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= bits);
}

const tls = optionalKey(
  z.object({
    cert_file: text().describe('Certificate with its chain, a PEM file.'),
    key_file: text().describe('Private key of the certificate, a PEM file.'),
  }),
).describe('With it the port speaks TLS; without it plain HTTP.');

export const listen = section(
  z.object({
    host: keyWithDefault(host, '127.0.0.1').describe(
      'Address on which clients are served; `0.0.0.0` is every address of the machine.',
    ),
    port: keyWithDefault(port, 8787).describe('Port on which clients are served; 0 takes any free port.'),
    tls,
    trusted_proxies: restrictingKey(
      keyWithDefault(z.array(network).max(256, { error: 'at most 256 networks' }), []),
    ).describe('Addresses and networks of load balancers whose `x-forwarded-for` says who the client is.'),
    close_after_answer: keyWithDefault(z.boolean(), false).describe(
      'Close each client connection after its answer, for load balancers that use a connection just as it is closed.',
    ),
  }),
);

export const operator = section(
  z.object({
    host: keyWithDefault(host, '127.0.0.1').describe('Address of the operator port.'),
    port: optionalKey(port).describe(
      'Port for health, metrics and the admin API; by default the port after `listen.port`.',
    ),
    tls,
    admin_key: optionalKey(secretText(4096)).describe('Key of the admin API; without it there is no admin API.'),
  }),
);

const originError = '`*`, or origins as a browser sends them: `https://app.example.com`, with a port only if unusual';
const origin = z.string({ error: originError }).refine((value) => value === '*' || isOrigin(value), {
  error: originError,
});

function isOrigin(value: string): boolean {
  return /^https?:\/\/[^*]+$/.test(value) && URL.canParse(value) && new URL(value).origin === value;
}

export const cors = optionalKey(
  z.object({
    allowed_origins: z
      .array(origin)
      .min(1, { error: 'at least one origin' })
      .describe('Origins whose browsers may call, or `*`.'),
    max_age_seconds: keyWithDefault(wholeNumber(0, 86_400), 600).describe(
      'How long a browser may remember the answer to a preflight.',
    ),
  }),
);

/** PEM files. */
export interface TlsFiles {
  certFile: string;
  keyFile: string;
}
