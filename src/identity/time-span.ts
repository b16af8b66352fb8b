const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

export const TIME_SPAN_FORM = 'a whole number from 1 to 99999 with a unit: 30s, 15m, 12h, 90d, 2w';

/** Milliseconds; undefined: not of this form. */
export function timeSpanMs(text: string): number | undefined {
  const [, digits = '', unit = ''] = /^(\d{1,5})([smhdw])$/.exec(text) ?? [];
  const span = Number(digits) * (UNIT_MS[unit] ?? 0);
  return span > 0 ? span : undefined;
}
