import { resolve } from 'node:path';
import { isCertificate } from '../account-schema.ts';
import type { UpstreamSettings } from '../configuration.ts';
import { readText } from '../documents/manifest-files.ts';
import type { Environment } from '../environment.ts';
import type { Fault } from '../fault.ts';
import { isProxy } from '../scalar-schema.ts';
import type { WrittenServer } from '../server-schema.ts';

const maxCaBytes = 1024 * 1024;

type Written = WrittenServer['upstream'];

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
