import { BlockList, isIP } from 'node:net';

/**
 * IPv4 addresses that lead into a private network, to a machine's metadata, or nowhere.
 * https://www.iana.org/assignments/iana-ipv4-special-registry
 */
const NOT_PUBLIC = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  // Carriers; also where Alibaba has its metadata.
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  // Metadata of AWS, Google, Azure and others.
  ['169.254.0.0', 16],
  // The host of a virtual machine in Azure.
  ['168.63.129.16', 32],
  ['172.16.0.0', 12],
  // Also where Oracle has its metadata.
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const)
  NOT_PUBLIC.addSubnet(network, prefix, 'ipv4');

/** The publicly routed part of IPv6; some of it is for documentation, or leads to any IPv4 address. */
const ROUTED = new BlockList();
ROUTED.addSubnet('2000::', 3, 'ipv6');
for (const [network, prefix] of [
  ['2001::', 32],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const)
  NOT_PUBLIC.addSubnet(network, prefix, 'ipv6');

/** Whether an IP address may be asked on behalf of a client: false for every address that is not surely public. */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !NOT_PUBLIC.check(address, 'ipv4');
    case 6:
      return ROUTED.check(address, 'ipv6') && !NOT_PUBLIC.check(address, 'ipv6');
    default:
      return false;
  }
}
