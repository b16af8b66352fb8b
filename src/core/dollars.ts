const NANO_PER_DOLLAR = 1_000_000_000;

/**
 * Integer nano-dollars as US dollars, digit for digit: never rounded, with at least `minPlaces` behind the point. A number
 * divided and formatted shows another amount where it is small (0.0000001) or very large.
 */
export function dollarText(nanoUsd: number, minPlaces = 2): string {
  const sign = nanoUsd < 0 ? '-' : '';
  const amount = Math.abs(nanoUsd);
  const whole = Math.floor(amount / NANO_PER_DOLLAR);
  const behind = String(amount - whole * NANO_PER_DOLLAR).padStart(9, '0');
  const places = Math.max(minPlaces, placesOf(nanoUsd));
  return `${sign}${whole}${places === 0 ? '' : '.'}${behind.slice(0, places)}`;
}

/** Behind the point: as many as the amount needs, 0 to 9. */
export function placesOf(nanoUsd: number): number {
  const behind = String(Math.abs(nanoUsd) % NANO_PER_DOLLAR).padStart(9, '0');
  return behind.replace(/0+$/, '').length;
}
