/** What files begin with: https://mimesniff.spec.whatwg.org/#matching-an-image-type-pattern, and PDF. */
const BEGINNINGS: readonly (readonly [string, string])[] = [
  ['\x89PNG\r\n\x1a\n', 'image/png'],
  ['\xff\xd8\xff', 'image/jpeg'],
  ['GIF87a', 'image/gif'],
  ['GIF89a', 'image/gif'],
  ['%PDF-', 'application/pdf'],
];
const ENDINGS: ReadonlyMap<string, string> = new Map([
  ['png', 'image/png'],
  ['jpg', 'image/jpeg'],
  ['jpeg', 'image/jpeg'],
  ['gif', 'image/gif'],
  ['webp', 'image/webp'],
  ['pdf', 'application/pdf'],
  ['txt', 'text/plain'],
  ['md', 'text/markdown'],
  ['csv', 'text/csv'],
  ['html', 'text/html'],
  ['json', 'application/json'],
]);
/** Labels of servers that do not know what they serve. */
const UNTELLING: ReadonlySet<string> = new Set(['', 'application/octet-stream', 'binary/octet-stream', 'image/jpg']);

/** By its first bytes where these are known, else by its label, else by the end of its name. */
export function mediaTypeOf(label: string | undefined, bytes: Buffer, path: string): string | undefined {
  const beginning = bytes.toString('latin1', 0, 12);
  for (const [begins, type] of BEGINNINGS) if (beginning.startsWith(begins)) return type;
  if (beginning.startsWith('RIFF') && beginning.endsWith('WEBP')) return 'image/webp';
  const told = label?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (!UNTELLING.has(told)) return told;
  const ending = /\.([a-z0-9]{1,5})$/i.exec(path)?.[1]?.toLowerCase();
  return ENDINGS.get(ending ?? '');
}
