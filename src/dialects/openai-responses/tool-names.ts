import { isArray, isObject, type JsonObject, stringOf } from '../../codec/json-value.ts';

/*
 * Tools of this form that are no functions for others: custom tools, whose input is free text, and functions within a
 * namespace. A provider of another form is given functions in their place, and its calls are told apart by these names.
 */

/** The one parameter of the function that stands for a custom tool. */
export const CUSTOM_INPUT = 'input';

export interface CalledTool {
  readonly kind: 'function' | 'custom';
  readonly name: string;
  readonly namespace: string | undefined;
}

/** The name of a function for others. */
export function flatName(name: string, namespace: string | undefined): string {
  return namespace === undefined ? name : `${namespace}${namespace.endsWith('__') ? '' : '__'}${name}`;
}

/** Those of a request's tools that are no plain functions, by their names for others. */
export function namedTools(tools: unknown): ReadonlyMap<string, CalledTool> {
  const named = new Map<string, CalledTool>();
  if (isArray(tools)) for (const tool of tools) if (isObject(tool)) add(tool, undefined, named);
  return named;
}

function add(tool: JsonObject, namespace: string | undefined, named: Map<string, CalledTool>): void {
  const name = stringOf(tool['name']);
  const { type, tools } = tool;
  if (name === undefined) return;
  if (type === 'namespace' && isArray(tools)) {
    for (const each of tools) if (isObject(each)) add(each, name, named);
  } else if (type === 'custom') named.set(flatName(name, namespace), { kind: 'custom', name, namespace });
  else if (namespace !== undefined) named.set(flatName(name, namespace), { kind: 'function', name, namespace });
}

/** The free text in the arguments of such a function; undefined: they are no such object. */
export function customInput(argumentsText: string): string | undefined {
  try {
    const value: unknown = JSON.parse(argumentsText);
    return isObject(value) ? stringOf(value[CUSTOM_INPUT]) : undefined;
  } catch {
    // Told by whoever asked.
    return undefined;
  }
}
