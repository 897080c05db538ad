import { BlockList, isIPv4, isIPv6, SocketAddress } from 'node:net';

/** Bits of the IPv4 addresses that IPv6 writes as `::ffff:192.0.2.1` (RFC 4291, 2.5.5.2). */
const mapped = '::ffff:';
const mappedBits = 96;

/** An address in the one way in which it is written here, IPv4 also where it came as IPv6; null for what is none. */
export function canonicalAddress(text: string): string | null {
  if (isIPv4(text)) return text;
  // The zone of a link-local address is a matter of this machine.
  const [address = ''] = text.split('%');
  if (!isIPv6(address)) return null;
  const canonical = new SocketAddress({ address, family: 'ipv6' }).address;
  const inner = canonical.slice(mapped.length);
  return canonical.startsWith(mapped) && isIPv4(inner) ? inner : canonical;
}

/** An address, or a network such as `10.0.0.0/8` or `2001:db8::/32`. */
export function isNetwork(text: string): boolean {
  return parseNetwork(text) !== null;
}

/** Whether an address, as `canonicalAddress` writes it, is in one of the networks. */
export function createMembership(networks: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const text of networks) {
    const { address, bits } = parseNetwork(text)!;
    list.addSubnet(address, bits, familyOf(address));
  }
  return (address) => list.check(address, familyOf(address));
}

/**
 * Whose limits an address counts to: IPv4 itself, and of IPv6 the /64 that one customer has at the least, with more
 * addresses in it than could be counted.
 */
export function clientNetworkOf(address: string): string {
  if (!address.includes(':')) return address;
  // The URL standard writes no group as a dotted quad.
  const plain = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [head = '', tail = ''] = plain.split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':'));
  const missing = 8 - groups(head).length - groups(tail).length;
  const all = [...groups(head), ...Array<string>(missing).fill('0'), ...groups(tail)];
  return `${all.slice(0, 4).join(':')}::/64`;
}

function parseNetwork(text: string): { address: string; bits: number } | null {
  const [written = '', size, ...rest] = text.split('/');
  const address = canonicalAddress(written);
  if (address === null || rest.length > 0 || written.includes('%')) return null;
  const most = isIPv4(written) ? 32 : 128;
  if (size !== undefined && !/^\d{1,3}$/.test(size)) return null;
  const given = size === undefined ? most : Number(size);
  const bits = isIPv4(address) && most === 128 ? given - mappedBits : given;
  return given <= most && bits >= 0 ? { address, bits } : null;
}

const familyOf = (address: string) => (isIPv4(address) ? 'ipv4' : 'ipv6');
