import { isArray, isObject } from '../../codec/json-value.ts';

/** The ids in a list of models, as `{"data": [{"id": …}]}`; undefined: this is no such list. */
export function listedIds(answer: unknown, list: string, key: string): string[] | undefined {
  const entries = isObject(answer) ? answer[list] : undefined;
  if (!isArray(entries)) return undefined;
  return entries.flatMap((entry) => {
    const id = isObject(entry) ? entry[key] : undefined;
    return typeof id === 'string' ? [id] : [];
  });
}
