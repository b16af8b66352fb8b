/**
 * The rules of imports (src/README.md), as data, and the walk that checks them. Arrows point down only, siblings of a
 * folder of vendors or dialects do not know each other, each third party has one door, and there are no circles.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, normalize, relative, sep } from 'node:path';

/** Depth of each folder or file of src/: it may import what is less deep, and itself. */
const DEPTHS: Record<string, number> = {
  core: 0,
  inference: 1,
  codec: 1,
  config: 1,
  offload: 2,
  threads: 2,
  store: 2,
  telemetry: 2,
  routing: 2,
  dialects: 2,
  providers: 2,
  counters: 2,
  usage: 3,
  upstream: 3,
  edge: 3,
  files: 3,
  batches: 4,
  ledger: 3,
  identity: 3,
  alerts: 3,
  otel: 3,
  'request-log': 3,
  console: 3,
  authentication: 3,
  policy: 3,
  limits: 4,
  'sign-in': 4,
  relay: 5,
  mcp: 5,
  operator: 5,
  settlement: 6,
  guardrails: 6,
  cache: 6,
  pipeline: 7,
  proxy: 7,
};
const TOP = 8;

/**
 * Others see of these folders the files beside the subfolders only, above all this one; subfolders do not see each
 * other.
 */
const INTERFACES: Record<string, string> = {
  dialects: 'dialects/dialect.ts',
  providers: 'providers/provider.ts',
};
/** Bases that every sibling may use. */
const SHARED_BASES = new Set([
  'providers/base',
  'providers/openai-compatible',
  'providers/anthropic-messages',
  'providers/gemini-generate-content',
  'dialects/openai-json',
]);
const NAMES_VENDORS = new Set(['plugs.ts']);

/** Third parties and the folders or files that may import them. */
const DOORS: Record<string, string[]> = {
  'uWebSockets.js': ['edge'],
  undici: ['upstream'],
  ws: ['realtime'],
  pino: ['telemetry'],
  piscina: ['offload'],
  msgpackr: ['telemetry', 'codec'],
  'prom-client': ['telemetry'],
  kysely: ['store'],
  pg: ['store'],
  '@redis/client': ['counters'],
  nodemailer: ['alerts'],
  'csv-stringify': ['operator'],
  'fast-jwt': ['authentication'],
  jose: ['store', 'providers'],
  'google-auth-library': ['providers'],
  'node:sqlite': ['store'],
  yaml: ['config'],
  '@marcbachmann/cel-js': ['config'],
  re2js: ['config', 'guardrails'],
  commander: ['main.ts'],
  '@pydantic/genai-prices': ['usage'],
  'gpt-tokenizer': ['usage'],
  '@aws-sdk/credential-providers': ['providers', 'files'],
  aws4fetch: ['files'],
  'pgsql-ast-parser': ['guardrails'],
  '@cedar-policy/cedar-wasm': ['guardrails'],
  minisearch: ['mcp'],
  preact: ['console'],
  htm: ['console'],
  uplot: ['console'],
  'quickjs-emscripten-core': ['code-thread'],
  '@jitl/quickjs-wasmfile-release-sync': ['code-thread'],
};

/** Same-depth arrows that are part of the plan: from → to. */
const ALLOWED_SIDEWAYS = new Set([
  'inference → core',
  // A provider and a dialect are described in neutral words and in those of the wire.
  'threads → store',
  'threads → telemetry',
  'threads → counters',
  'routing → providers',
  // Callers are told apart by the subjects and teams that policy knows.
  'authentication → policy',
]);

export interface ImportFault {
  readonly file: string;
  readonly imports: string;
  readonly reason: string;
}

const IMPORT = /^\s*(?:import|export)\s+(?:type\s+)?(?:[^'";]*?\sfrom\s+)?['"]([^'"]+)['"]/gm;

/** `await import('…')` and `import('…').Type`, outside comments. */
const DYNAMIC_IMPORT = /^(?!\s*(?:\/\/|\*)).*?\bimport\(\s*['"]([^'"]+)['"]\s*\)/gm;

export function checkImports(root: string): ImportFault[] {
  const faults: ImportFault[] = [];
  const graph = new Map<string, string[]>();
  for (const folder of ['src', 'load', 'bench', 'scripts']) {
    for (const file of sourceFiles(join(root, folder))) {
      const name = relative(root, file).split(sep).join('/');
      const local: string[] = [];
      const text = readFileSync(file, 'utf8');
      const targets = [...text.matchAll(IMPORT), ...text.matchAll(DYNAMIC_IMPORT)].map((match) => match[1]);
      for (const target of targets) {
        if (target === undefined) continue;
        if (target.startsWith('.')) {
          const to = normalize(join(dirname(name), target))
            .split(sep)
            .join('/');
          local.push(to);
          const reason = localFault(name, to);
          if (reason) faults.push({ file: name, imports: target, reason });
        } else {
          const reason = packageFault(name, target);
          if (reason) faults.push({ file: name, imports: target, reason });
        }
      }
      graph.set(name, local);
    }
  }
  for (const circle of circles(graph)) {
    faults.push({ file: circle[0]!, imports: circle[1] ?? circle[0]!, reason: `circle: ${circle.join(' → ')}` });
  }
  return faults;
}

function localFault(from: string, to: string): string | undefined {
  if (from.startsWith('load/') && !to.startsWith('load/')) return 'load/ is a black box: it imports nothing else';
  if (!from.startsWith('src/')) return undefined;
  if (!to.startsWith('src/')) return 'src/ imports nothing outside src/';
  const source = from.slice(4);
  const target = to.slice(4);
  const sourceFolder = folderOf(source);
  const targetFolder = folderOf(target);
  const vendor = vendorOf(target);
  if (vendor) {
    const own = vendorOf(source);
    if (
      own !== vendor &&
      !NAMES_VENDORS.has(source) &&
      !(SHARED_BASES.has(vendor) && own?.startsWith(`${targetFolder}/`))
    ) {
      return `only plugs.ts may import ${vendor}; others know ${INTERFACES[targetFolder]}`;
    }
    if (own === vendor && target.endsWith('/index.ts')) return "a vendor folder's own files do not import its plug";
  }
  if (sourceFolder === targetFolder) return undefined;
  const sourceDepth = DEPTHS[sourceFolder] ?? TOP;
  const targetDepth = DEPTHS[targetFolder] ?? TOP;
  if (targetDepth < sourceDepth || sourceDepth === TOP) return undefined;
  if (ALLOWED_SIDEWAYS.has(`${sourceFolder} → ${targetFolder}`)) return undefined;
  return `${sourceFolder} (depth ${sourceDepth}) may not import ${targetFolder} (depth ${targetDepth})`;
}

function packageFault(from: string, target: string): string | undefined {
  const name = target.startsWith('@') ? target.split('/').slice(0, 2).join('/') : (target.split('/')[0] ?? target);
  const door = DOORS[target] ?? DOORS[name];
  if (from.startsWith('src/') && door) {
    const source = from.slice(4);
    if (!door.some((each) => source === each || source.startsWith(`${each}/`))) {
      return `${name} has one door: ${door.map((each) => `src/${each}`).join(', ')}`;
    }
  }
  if (!target.startsWith('node:') && builtinModules.includes(target)) return `write node:${target}`;
  return undefined;
}

function folderOf(path: string): string {
  return path.split('/')[0]!;
}

/** `providers/openai` for files in a vendor's or dialect's folder. */
function vendorOf(path: string): string | undefined {
  const parts = path.split('/');
  return parts.length > 2 && (parts[0] === 'providers' || parts[0] === 'dialects')
    ? `${parts[0]}/${parts[1]}`
    : undefined;
}

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.parentPath.includes('node_modules'))
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Strongly connected components of more than one file (Tarjan 1972). */
function circles(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const onStack = new Set<string>();
  const found: string[][] = [];
  const visit = (file: string): void => {
    index.set(file, index.size);
    low.set(file, index.get(file)!);
    stack.push(file);
    onStack.add(file);
    for (const next of graph.get(file) ?? []) {
      if (!graph.has(next)) continue;
      if (!index.has(next)) {
        visit(next);
        low.set(file, Math.min(low.get(file)!, low.get(next)!));
      } else if (onStack.has(next)) low.set(file, Math.min(low.get(file)!, index.get(next)!));
    }
    if (low.get(file) !== index.get(file)) return;
    const component: string[] = [];
    for (;;) {
      const each = stack.pop()!;
      onStack.delete(each);
      component.push(each);
      if (each === file) break;
    }
    if (component.length > 1) found.push(component.reverse());
  };
  for (const file of graph.keys()) if (!index.has(file)) visit(file);
  return found;
}
