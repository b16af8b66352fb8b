import { countOf, type JsonObject, objectOf } from '../../codec/json-value.ts';
import { tellsAnything, type Usage } from '../../inference/usage.ts';
import { toUsage } from './to-usage.ts';

/** Cohere counts searches in `meta.billed_units`; Jina, Voyage and Together tokens in `usage`, some as a total alone. */
export function toRerankUsage(usage: unknown, answer: JsonObject): Usage | undefined {
  const counted = toUsage(usage, answer) ?? {};
  const units = objectOf(objectOf(answer['meta'])?.['billed_units']);
  const searchUnits = countOf(units?.['search_units']);
  const inputTokens =
    counted.inputTokens ?? countOf(objectOf(usage)?.['total_tokens']) ?? countOf(units?.['input_tokens']);
  const told: Usage = {
    ...counted,
    ...(inputTokens !== undefined && { inputTokens }),
    ...(searchUnits !== undefined && { rare: { ...counted.rare, searchUnits } }),
  };
  return tellsAnything(told) ? told : undefined;
}
