import { isObject, type JsonObject } from '../codec/json-value.ts';

/** The JSON object of one event's data lines; undefined where it is none. */
export function eventJson(bytes: Buffer): JsonObject | undefined {
  let data = '';
  for (const line of bytes.toString('utf8').split(/\r\n|\n|\r/)) {
    if (line.startsWith('data:')) data += line.slice(line.charCodeAt(5) === 0x20 ? 6 : 5);
  }
  try {
    const value: unknown = JSON.parse(data);
    return isObject(value) ? value : undefined;
  } catch {
    // Not JSON: not an event we read. The client gets it as it is.
    return undefined;
  }
}

export function hasNoChoices(event: object): boolean {
  const choices: unknown = Reflect.get(event, 'choices');
  return Array.isArray(choices) && choices.length === 0;
}
