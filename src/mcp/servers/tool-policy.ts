import { isArray, type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import type { McpServerBase, McpToolGrant, McpToolSetting } from '../../config/mcp/mcp-servers.ts';
import { compilePatterns } from '../../policy/model-pattern.ts';
import { compileSubjects, type SubjectMatcher } from '../../policy/subject-match.ts';
import { INVALID_PARAMS, RpcError } from '../protocol/json-rpc.ts';
import { ScopeError, scopeBehind, scopeOf } from '../protocol/scopes.ts';
import type { CallContext } from './served.ts';
import { alikeName } from './tool-names.ts';

interface Grant {
  readonly meant: SubjectMatcher;
  readonly metadata: readonly (readonly [string, string])[];
  readonly named: (tool: string) => boolean;
  readonly selectors: ReadonlySet<string>;
}

/** The rules of access to a server and its tools, and what is told of each. Held on list and on call alike. */
export class ToolPolicy {
  readonly #mayUse: SubjectMatcher;
  readonly #settings: ReadonlyMap<string, McpToolSetting>;
  /** Alike names of those that are disabled: some servers take one for another. */
  readonly #disabled: ReadonlySet<string>;
  readonly #grants: readonly Grant[] | undefined;
  readonly #callNanoUsd: number | undefined;
  /** Whether what the server says of a tool decides: then it must be known before the tool is called. */
  readonly needsAnnotations: boolean;

  constructor(
    { subjects, toolAccess, callNanoUsd }: Pick<McpServerBase, 'subjects' | 'toolAccess' | 'callNanoUsd'>,
    settings: readonly McpToolSetting[],
  ) {
    this.#mayUse = compileSubjects(subjects);
    this.#settings = new Map(settings.map((setting) => [setting.name, setting]));
    this.#disabled = new Set(settings.flatMap(({ name, disabled }) => (disabled ? alikeName(name) : [])));
    this.#callNanoUsd = callNanoUsd;
    this.#grants = toolAccess?.map(grantOf);
    this.needsAnnotations = this.#grants?.some(({ selectors }) => selectors.size > 0) ?? false;
  }

  mayUse(subjects: ReadonlySet<string>): boolean {
    return this.#mayUse(subjects);
  }

  /** The tools that the caller may see, as they are told of. */
  shown(tools: readonly unknown[], context: Pick<CallContext, 'subjects' | 'metadata'>): JsonObject[] {
    return tools.flatMap((each) => {
      const tool = objectOf(each);
      const name = tool && stringOf(tool['name']);
      if (!tool || name === undefined) return [];
      const told = this.#told(tool, name);
      return this.allows(name, told, context) ? [told] : [];
    });
  }

  /** Integer nano-dollars of each call. */
  priceOf(name: string): number | undefined {
    return this.#settings.get(name)?.callNanoUsd ?? this.#callNanoUsd;
  }

  /** `tool`: as it is told of, where that is known. */
  allows(
    name: string,
    tool: JsonObject | undefined,
    { subjects, metadata }: Pick<CallContext, 'subjects' | 'metadata'>,
  ): boolean {
    if (this.#disabled.size > 0 && this.#disabled.has(alikeName(name))) return false;
    if (this.#grants === undefined) return true;
    return this.#grants.some(
      (grant) =>
        grant.meant(subjects) &&
        grant.metadata.every(([key, value]) => Object.hasOwn(metadata, key) && metadata[key] === value) &&
        (grant.named(name) || isSelected(grant.selectors, tool)),
    );
  }

  #told(tool: JsonObject, name: string): JsonObject {
    const setting = this.#settings.get(name);
    if (!setting || (setting.description === undefined && !setting.annotations)) return tool;
    return {
      ...tool,
      ...(setting.description !== undefined && { description: setting.description }),
      ...(setting.annotations && { annotations: { ...objectOf(tool['annotations']), ...setting.annotations } }),
    };
  }
}

/** Throws a ScopeError where the token is not good for the tool. `tool`: as it is told of; undefined: it is not known. */
export function requireScope(
  { scope }: Pick<CallContext, 'scope'>,
  server: string,
  tool: JsonObject | undefined,
): void {
  if (!scope) return;
  const { here } = scopeBehind(scope, server);
  const isRead = objectOf(tool?.['annotations'])?.['readOnlyHint'] === true;
  if (here === 'all' || (here === 'read' && isRead)) return;
  throw new ScopeError(scopeOf(server, isRead ? 'read' : 'all'), scope);
}

/** As a server answers that has no such tool: whoever may not use one learns nothing of it. */
export function unknownTool(name: string): RpcError {
  return new RpcError(INVALID_PARAMS, `Unknown tool: ${name.slice(0, 128)}`);
}

/** Without those whose name stood before: a second one would be shown, and never looked at. */
export function onceEachName(tools: readonly unknown[]): readonly unknown[] {
  const names = new Set<string>();
  return tools.filter((tool) => {
    const name = stringOf(objectOf(tool)?.['name']);
    if (name === undefined) return true;
    const isNew = !names.has(name);
    names.add(name);
    return isNew;
  });
}

/** `tools`, `prompts`, … of a result. */
export function listIn(result: JsonObject, key: string): readonly unknown[] {
  const list = result[key];
  return isArray(list) ? list : [];
}

function grantOf({ subjects, tools, metadata }: McpToolGrant): Grant {
  return {
    meant: compileSubjects(subjects),
    metadata: Object.entries(metadata),
    named: compilePatterns(tools.filter((tool) => !tool.startsWith('@'))),
    selectors: new Set(tools.filter((tool) => tool.startsWith('@'))),
  };
}

/** The defaults of the specification: what says nothing may write, and may destroy. */
export function isSelected(selectors: ReadonlySet<string>, tool: JsonObject | undefined): boolean {
  if (selectors.size === 0) return false;
  if (selectors.has('@all')) return true;
  const { readOnlyHint, destructiveHint } = objectOf(tool?.['annotations']) ?? {};
  const readOnly = readOnlyHint === true;
  if (readOnly) return selectors.has('@read-only');
  const destructive = destructiveHint !== false;
  return destructive ? selectors.has('@destructive') : selectors.has('@write');
}
