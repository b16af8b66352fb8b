import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TrustedProxies } from '../../../src/edge/client-address.ts';

const side = (...bytes: number[]) => ({ getRemoteAddress: () => Uint8Array.from(bytes).buffer });
const proxy = side(10, 0, 0, 1);
const loopback6 = side(...new Array<number>(15).fill(0), 1);
const trusted = new TrustedProxies(['10.0.0.0/8', '192.0.2.7', '2001:db8::/32', '::1']);

test('the client is who connected where no proxy is trusted, whatever a header says', () => {
  const none = new TrustedProxies([]);
  assert.equal(none.addressOf(proxy, '203.0.113.9'), '10.0.0.1');
  assert.equal(none.sideOf(proxy, '203.0.113.9'), proxy);
});

test('a header about the client’s address is not believed of a stranger', () => {
  assert.equal(trusted.addressOf(side(203, 0, 113, 5), '198.51.100.1'), '203.0.113.5');
});

test('the last address that is no proxy counts of a trusted proxy’s header, since anybody may have written the rest', () => {
  for (const [header, client] of [
    ['203.0.113.9', '203.0.113.9'],
    ['1.1.1.1, 203.0.113.9', '203.0.113.9'],
    ['1.1.1.1,203.0.113.9 ,10.1.2.3, 192.0.2.7', '203.0.113.9'],
    ['10.9.9.9, 10.1.2.3', '10.9.9.9'],
    ['203.0.113.9:4711', '203.0.113.9'],
    ['[2001:db9::1]:4711', '2001:db9::1'],
    ['2001:DB9:0:0::0001', '2001:db9::1'],
    ['2001:db9::1, 2001:db8::5', '2001:db9::1'],
    ['::ffff:203.0.113.9', '203.0.113.9'],
    ['203.0.113.9, ::ffff:10.0.0.2', '203.0.113.9'],
    // A word that is no address ends the list.
    ['203.0.113.9, unknown', '10.0.0.1'],
    ['203.0.113.9, _hidden, 10.1.2.3', '10.1.2.3'],
    ['"><script>', '10.0.0.1'],
    ['fe80::1%eth0', '10.0.0.1'],
    ['', '10.0.0.1'],
    [',', '10.0.0.1'],
  ] as const) {
    assert.equal(trusted.addressOf(proxy, header), client, header);
  }
  assert.equal(trusted.addressOf(loopback6, '203.0.113.9'), '203.0.113.9');
});

test('a client’s address is written in its one usual form', () => {
  assert.equal(trusted.addressOf(loopback6, undefined), '::1');
  const mapped = side(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 203, 0, 113, 9);
  assert.equal(trusted.addressOf(mapped, undefined), '203.0.113.9');
  const long = side(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xab, 0, 1);
  assert.equal(trusted.addressOf(long, undefined), '2001:db8::ab:1');
});

test('a client behind a trusted proxy is counted by its own address', () => {
  for (const [header, bytes] of [
    ['203.0.113.9', [203, 0, 113, 9]],
    ['2001:db9::ab:1', [0x20, 1, 0xd, 0xb9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xab, 0, 1]],
  ] as const) {
    assert.deepEqual([...new Uint8Array(trusted.sideOf(proxy, header).getRemoteAddress())], bytes);
  }
  assert.equal(trusted.sideOf(proxy, undefined), proxy);
});
