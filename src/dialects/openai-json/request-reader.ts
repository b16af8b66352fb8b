import { isObject, type JsonObject } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';

/**
 * Reads the parts of one request body. The first fault is kept, later ones would only be its echoes; reading goes on
 * with a harmless value, so that the readers need no early way out, and whoever began the reading looks at `fault` at
 * the end. `param` names the place as OpenAI does: `messages[2].content[0].type`. Null is as good as absent.
 */
export class RequestReader {
  fault: GatewayError | undefined;

  missing(param: string): void {
    this.fault ??= new GatewayError('missing_parameter', { param, detail: `\`${param}\` is not there.` });
  }

  invalid(param: string, allowed: string, found: unknown): void {
    this.fault ??= new GatewayError('invalid_parameter', {
      param,
      detail: `\`${param}\` must be ${allowed}, not ${kindOf(found)}.`,
    });
  }

  unsupported(param: string, detail: string): void {
    this.fault ??= new GatewayError('unsupported_parameter', { param, detail });
  }

  requiredText(value: unknown, param: string): string {
    if (typeof value === 'string') return value;
    if (value === undefined || value === null) this.missing(param);
    else this.invalid(param, 'a string', value);
    return '';
  }

  text(value: unknown, param: string): string | undefined {
    if (value === undefined || value === null) return undefined;
    if (typeof value !== 'string') this.invalid(param, 'a string', value);
    return typeof value === 'string' ? value : undefined;
  }

  number(value: unknown, param: string): number | undefined {
    if (value === undefined || value === null) return undefined;
    if (typeof value !== 'number') this.invalid(param, 'a number', value);
    return typeof value === 'number' ? value : undefined;
  }

  wholeNumber(value: unknown, param: string): number | undefined {
    const number = this.number(value, param);
    if (number === undefined || (Number.isSafeInteger(number) && number >= 0)) return number;
    this.invalid(param, 'a whole number, 0 or more', value);
    return undefined;
  }

  flag(value: unknown, param: string): boolean | undefined {
    if (value === undefined || value === null) return undefined;
    if (typeof value !== 'boolean') this.invalid(param, 'true or false', value);
    return value === true;
  }

  object(value: unknown, param: string): JsonObject | undefined {
    if (value === undefined || value === null) return undefined;
    if (isObject(value)) return value;
    this.invalid(param, 'an object', value);
    return undefined;
  }

  requiredObject(value: unknown, param: string): JsonObject {
    if (value === undefined || value === null) this.missing(param);
    return this.object(value, param) ?? {};
  }

  list(value: unknown, param: string): readonly unknown[] {
    if (value === undefined || value === null) return [];
    if (Array.isArray(value)) return value;
    this.invalid(param, 'a list', value);
    return [];
  }
}

const LONGEST_QUOTED_WORD = 40;

/** What was found: a short word is quoted, anything else only named, since it may be long or private. */
function kindOf(value: unknown): string {
  if (typeof value === 'string') {
    return value.length > 0 && value.length <= LONGEST_QUOTED_WORD
      ? `"${value}"`
      : `a string of ${value.length} characters`;
  }
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (value === undefined) return 'absent';
  if (value === null) return 'null';
  return Array.isArray(value) ? 'a list' : 'an object';
}
