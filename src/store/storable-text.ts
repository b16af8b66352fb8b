/** A text without what PostgreSQL refuses (U+0000, halves of surrogate pairs): one such value would block the rows written with it. */
export function storableText(text: string): string {
  return text.isWellFormed() && !text.includes('\0') ? text : text.toWellFormed().replaceAll('\0', '\ufffd');
}

/** A value of a row written at once, the same for both engines: anything else is a fault of the caller. */
export function storableValue(value: unknown, column: string): string | number | null {
  if (typeof value === 'string') return storableText(value);
  if (value === null || (typeof value === 'number' && Number.isSafeInteger(value))) return value;
  throw new TypeError(`column ${column} takes text, whole numbers and null, and no ${typeof value}`);
}
