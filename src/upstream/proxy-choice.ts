import { BlockList, isIP } from 'node:net';
import type { UpstreamSettings } from '../config/server/upstream.ts';
import { withoutBrackets } from '../core/host-name.ts';
import type { Connection } from '../providers/provider.ts';

/** The proxy that an origin is reached through; undefined: it is reached directly. An account's own choice wins. */
export function proxyFor(connection: Connection, { proxies, noProxy }: UpstreamSettings): string | undefined {
  if (connection.proxy !== undefined) return connection.proxy === 'none' ? undefined : connection.proxy;
  const { protocol, hostname, port } = new URL(connection.origin);
  const proxy = protocol === 'https:' ? proxies.https : proxies.http;
  if (proxy === undefined) return undefined;
  const host = withoutBrackets(hostname);
  const ownPort = port || (protocol === 'https:' ? '443' : '80');
  return noProxy.some((entry) => covers(entry, host, ownPort)) ? undefined : proxy;
}

/** Entries as in NO_PROXY: `*`, a host with all below it, `.domain`, an address, a range of addresses; with a port. */
function covers(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true;
  const [, named = entry, onPort] = /^(\[.*\]|[^:]*):(\d+)$/.exec(entry) ?? [];
  if (onPort !== undefined && onPort !== port) return false;
  const wanted = withoutBrackets(named).toLowerCase();
  if (isIP(host) !== 0) return wanted === host || inRange(wanted, host);
  const domain = wanted.replace(/^\*?\./, '');
  return host === domain || host.endsWith(`.${domain}`);
}

function inRange(range: string, address: string): boolean {
  const [network = '', bits] = range.split('/');
  const family = isIP(network);
  if (bits === undefined || family === 0 || family !== isIP(address)) return false;
  const prefix = Number(bits);
  if (!Number.isInteger(prefix) || prefix > (family === 4 ? 32 : 128)) return false;
  const list = new BlockList();
  const type = family === 4 ? 'ipv4' : 'ipv6';
  list.addSubnet(network, prefix, type);
  return list.check(address, type);
}
