/** The JSON of `x-tfy-applied-rules`: which rules applied, and what came of it. */

/** For a header: other letters than ASCII as escapes, which JSON has. */
export function asciiJson(value: object): string {
  return JSON.stringify(value).replace(
    /[\x7f-\uffff]/g,
    (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Undefined: none applied. */
export function appliedRules(ratelimit: readonly string[], budget: readonly string[]): string | undefined {
  if (ratelimit.length === 0 && budget.length === 0) return undefined;
  return asciiJson({ ...(ratelimit.length > 0 && { ratelimit }), ...(budget.length > 0 && { budget }) });
}

/** The rule that did not let the request in. */
export function withRefused(rulesJson: string | undefined, ruleId: string): string {
  return merged(rulesJson, asciiJson({ refused: ruleId }));
}

/** A spent budget sent the request to another model. */
export function withDowngrade(rulesJson: string | undefined, from: string, to: string, by: string): string {
  return merged(rulesJson, asciiJson({ downgrade: { from, to, by } }));
}

/** Two JSON objects as one: the first was made with its rules, the second for this request. */
function merged(first: string | undefined, second: string): string {
  return first === undefined ? second : `${first.slice(0, -1)},${second.slice(1)}`;
}
