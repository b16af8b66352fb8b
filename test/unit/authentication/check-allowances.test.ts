import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AddressAllowances } from '../../../src/authentication/check-allowances.ts';

const side = (...bytes: number[]) => ({ getRemoteAddress: () => new Uint8Array(bytes).buffer });
const ipv6 = (...bytes: number[]) => side(...bytes, ...Array.from({ length: 16 - bytes.length }, () => 0));

describe('the allowance of an address', () => {
  it('the allowance of an address is used up by what it takes, and filled again with time', () => {
    const allowances = new AddressAllowances(10, 3);
    const place = allowances.placeOf(side(10, 0, 0, 1));
    const takes = (now: number, count: number) => Array.from({ length: count }, () => allowances.take(place, now));
    assert.deepEqual(takes(1000, 5), [true, true, true, false, false]);
    assert.deepEqual(takes(1100, 2), [true, false]);
    assert.deepEqual(takes(900, 1), [false], 'a clock that was set back gives nothing');
    assert.deepEqual(takes(100_000, 5), [true, true, true, false, false]);
  });

  it('the allowance of an address is not touched by what was given back', () => {
    const allowances = new AddressAllowances(1, 2);
    const place = allowances.placeOf(side(10, 0, 0, 1));
    for (let round = 0; round < 50; round += 1) {
      assert.ok(allowances.take(place, 1000));
      allowances.giveBack(place);
    }
  });

  it('an allowance is one for a /64 of IPv6, and one for an IPv4 address however it is written', () => {
    const allowances = new AddressAllowances(1, 1);
    const place = (each: ReturnType<typeof side>) => allowances.placeOf(each);
    const net = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 1];
    assert.equal(place(ipv6(...net, 1)), place(ipv6(...net, 2, 3, 4)));
    const mapped = side(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1);
    assert.equal(place(mapped), place(side(192, 0, 2, 1)));
  });

  it('allowances spread addresses over their places, differently in each thread', () => {
    const [one, other] = [new AddressAllowances(1, 1), new AddressAllowances(1, 1)];
    const sides = Array.from({ length: 4096 }, (_, index) => side(10, 0, index >> 8, index & 255));
    const places = sides.map((each) => one.placeOf(each));
    // Thrown at random, 4096 balls leave about 37% of as many places empty.
    assert.ok(new Set(places).size > 2200);
    assert.ok(places.some((place, index) => place !== other.placeOf(sides[index]!)));
  });
});
