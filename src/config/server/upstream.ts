import { resolve } from 'node:path';
import { z } from 'zod';
import { isCertificate } from '../account-schema.ts';
import { readText } from '../documents/manifest-files.ts';
import type { Environment } from '../environment.ts';
import type { Fault } from '../fault.ts';
import { isProxy, optionalKey, proxyAddress, restricting, restrictingKey, text } from '../scalar-schema.ts';
import { section } from './section.ts';

const noProxyError = '`*`, a host name, `.domain`, an IP address or range (`10.0.0.0/8`); `:port` may follow';
const noProxy = z
  .string({ error: noProxyError })
  .regex(/^(\*|(\*?\.)?[A-Za-z0-9_[\]:.-]{1,253}(\/\d{1,3})?)$/, { error: noProxyError });

export const upstream = section(
  z.object({
    proxy: restricting(optionalKey(proxyAddress())).describe(
      'HTTP proxy to all providers, token endpoints, issuers and channels of alerts, or `none`. Absent: for https:// providers what the variable HTTPS_PROXY says.',
    ),
    no_proxy: restrictingKey(optionalKey(z.array(noProxy).max(1000))).describe(
      'Hosts that are reached without `proxy`. Absent, with a proxy of HTTPS_PROXY: what the variable NO_PROXY says.',
    ),
    ca_file: optionalKey(text()).describe(
      'Certificates of authorities, as PEM, that are trusted besides the public ones.',
    ),
  }),
);

/** How providers are reached. Holds the password of a proxy: never logged. */
export interface UpstreamSettings {
  /** Addresses of HTTP proxies, by the scheme of what is reached through them; an account may name another. */
  proxies: { http?: string; https?: string };
  /** Hosts that are reached without them, as in NO_PROXY. */
  noProxy: string[];
  /** PEM certificates of authorities that are trusted besides the public ones. */
  ca?: string;
}

const maxCaBytes = 1024 * 1024;

type Written = z.output<typeof upstream>;

export interface ReadUpstream {
  settings: UpstreamSettings;
  /** The file of authorities, where one is named: a change of it is a change of the configuration. */
  file?: string;
  fault?: Pick<Fault, 'code' | 'message' | 'allowed'>;
  warning?: { message: string; remedy: string };
}

/**
 * How providers are reached: as `upstream` says, and where it says nothing of a proxy, as the variables HTTPS_PROXY and
 * NO_PROXY do, in small letters too. HTTP_PROXY is not read: what is served over http:// is in one's own network.
 */
export function upstreamSettings(written: Written, folder: string, environment: Environment): ReadUpstream {
  const { proxy, no_proxy: noProxy, ca_file: caFile } = written;
  const read: ReadUpstream = { settings: { proxies: {}, noProxy: noProxy ?? [] } };
  if (proxy === undefined) fromEnvironment(read, noProxy, environment);
  else if (proxy !== 'none') read.settings.proxies = { http: proxy, https: proxy };
  if (caFile !== undefined) readAuthorities(read, resolve(folder, caFile));
  return read;
}

function fromEnvironment(read: ReadUpstream, noProxy: string[] | undefined, environment: Environment): void {
  const name = environment['HTTPS_PROXY'] ? 'HTTPS_PROXY' : 'https_proxy';
  const value = environment[name]?.trim();
  if (!value) return;
  // curl takes an address without its scheme as well.
  const address = value.includes('://') ? value : `http://${value}`;
  if (!isProxy(address)) {
    const message = `the environment variable ${name} is no address of an HTTP proxy and is not used`;
    read.warning = {
      message,
      remedy: 'Write it as `http://proxy.example.com:3128`, or `upstream: {proxy: none}` here',
    };
    return;
  }
  read.settings.proxies = { https: address };
  const hosts = environment['NO_PROXY'] ?? environment['no_proxy'] ?? '';
  read.settings.noProxy = noProxy ?? hosts.split(/[\s,]+/).filter((host) => host !== '');
}

function readAuthorities(read: ReadUpstream, file: string): void {
  read.file = file;
  const content = readText(file, maxCaBytes);
  if ('reason' in content) {
    read.fault = { code: 'unreadable', message: `cannot read ${file}: ${content.reason}` };
    return;
  }
  const certificates = content.text.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  if (certificates.length > 0 && certificates.every(isCertificate)) read.settings.ca = certificates.join('\n');
  else {
    const message = `${file} holds ${certificates.length === 0 ? 'no certificate' : 'something that is no certificate'}`;
    read.fault = { code: 'invalid-value', message, allowed: 'certificates in PEM form' };
  }
}
