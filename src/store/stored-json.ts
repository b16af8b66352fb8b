/*
 * JSON that we wrote into a column. By hand, and not by a schema: whoever reads keys at a start would wait for the library.
 * Each throws where somebody else changed it to something that is none.
 */

export function storedTexts(json: string): string[] {
  const value: unknown = JSON.parse(json);
  if (Array.isArray(value) && value.every((each): each is string => typeof each === 'string')) return value;
  throw new TypeError('what is stored is no list of texts');
}

export function storedTextMap(json: string): Record<string, string> {
  const value: unknown = JSON.parse(json);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new TypeError('what is stored is no map of texts');
  const texts: Record<string, string> = {};
  for (const [name, text] of Object.entries(value)) {
    if (typeof text !== 'string') throw new TypeError('what is stored is no map of texts');
    texts[name] = text;
  }
  return texts;
}
