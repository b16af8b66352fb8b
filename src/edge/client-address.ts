import type { HttpResponse } from 'uWebSockets.js';
import { BlockList, isIPv4, isIPv6 } from 'node:net';

/** The connection that a request came on, or the client behind a proxy. */
export type RemoteSide = Pick<HttpResponse, 'getRemoteAddress'>;

/**
 * Proxies whose `x-forwarded-for` is believed. Each adds the address that it saw at the end, so the list is read from
 * there, and the first address that is no trusted proxy is the client's. Anybody may have written what stands before it.
 */
export class TrustedProxies {
  readonly #list = new BlockList();
  readonly #any: boolean;

  /** Addresses and networks as `address/prefix`; checked before. */
  constructor(networks: readonly string[]) {
    this.#any = networks.length > 0;
    for (const network of networks) {
      const [address = '', prefix] = network.split('/');
      const family = isIPv4(address) ? 'ipv4' : 'ipv6';
      if (prefix === undefined) this.#list.addAddress(address, family);
      else this.#list.addSubnet(address, Number(prefix), family);
    }
  }

  /** The client's address as text. Must not be asked once the answer has ended. */
  addressOf(side: RemoteSide, forwardedFor: string | undefined): string {
    const peer = addressText(new Uint8Array(side.getRemoteAddress()));
    return forwardedFor !== undefined && this.#trusts(peer) ? this.#behind(peer, forwardedFor) : peer;
  }

  /** The same as a connection, for code that counts by address. */
  sideOf(side: RemoteSide, forwardedFor: string | undefined): RemoteSide {
    if (!this.#any || forwardedFor === undefined) return side;
    return { getRemoteAddress: () => addressBytes(this.addressOf(side, forwardedFor)) };
  }

  #behind(peer: string, forwardedFor: string): string {
    let client = peer;
    for (const entry of forwardedFor.split(',').reverse()) {
      const address = withoutPort(entry.trim());
      if (address === undefined) return client;
      client = address;
      if (!this.#trusts(address)) return client;
    }
    return client;
  }

  #trusts(address: string): boolean {
    return this.#any && this.#list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6');
  }
}

/** Some proxies write ports: `192.0.2.1:4711`, `[2001:db8::1]:4711`. Undefined: it is no address. */
function withoutPort(text: string): string | undefined {
  const address = /^\[([^\]]+)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text;
  if (isIPv4(address)) return address;
  return isIPv6(address) && !address.includes('%') ? addressText(new Uint8Array(addressBytes(address))) : undefined;
}

/** RFC 5952 for IPv6; an IPv4 address in an IPv6 one, as a socket that listens on both shows it, by itself. */
function addressText(bytes: Uint8Array): string {
  if (bytes.length !== 16) return bytes.join('.');
  if (MAPPED.every((byte, index) => byte === bytes[index])) return bytes.subarray(12).join('.');
  const groups = Array.from({ length: 8 }, (_, index) =>
    ((bytes[2 * index]! << 8) | bytes[2 * index + 1]!).toString(16),
  );
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

/** RFC 4291 §2.5.5.2. */
const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

export function addressBytes(address: string): ArrayBuffer {
  if (isIPv4(address)) return Uint8Array.from(address.split('.'), Number).buffer;
  // The URL parser writes an IPv4 tail as two groups; `::` stands for the groups that are missing.
  const full = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [before = '', after] = full.split('::');
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const head = groups(before);
  const tail = after === undefined ? [] : groups(after);
  const zeros = new Array<number>(8 - head.length - tail.length).fill(0);
  return Uint8Array.from([...head, ...zeros, ...tail].flatMap((group) => [group >> 8, group & 0xff])).buffer;
}
