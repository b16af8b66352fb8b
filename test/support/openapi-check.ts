import { Ajv, type ValidateFunction } from 'ajv';
import { openapiDocument } from '../../src/operator/openapi.ts';

/*
 * What the tests of test/integration ask a gateway and what it answers, held against the gateway's own OpenAPI document:
 * a request that was answered with 2xx, and every answer in JSON. Streams, forms and bytes are looked at by their own
 * tests.
 *
 * Relaxations, each with its reason:
 * - Requests that are refused are not held: most of them are wrong on purpose.
 * - What passes as it is (docs/passthrough.md) is the provider's own, and so is every answer to it.
 * - Errors of /messages are in the form of Anthropic, and those of MCP servers in that of JSON-RPC, which their own tests
 *   look at.
 * - What is no path of the document (the root, probes of paths that are not there) is held for its errors alone.
 */

type Fetch = typeof globalThis.fetch;

interface Operation {
  readonly requestBody?: { readonly content: Readonly<Record<string, unknown>> };
  readonly responses: Readonly<Record<string, { readonly $ref?: string; readonly content?: object }>>;
}

interface HeldDocument {
  readonly ajv: Ajv;
  readonly paths: readonly {
    readonly template: string;
    readonly operations: Readonly<Record<string, Operation>>;
    readonly pattern: RegExp;
  }[];
}

const compiled = new Map<string, ValidateFunction>();
const BASES = /^\/(?:api\/llm\/v1|api\/llm|v1)(?=\/|$)/;
const MAX_BYTES = 2_000_000;
/** Answers of one operation with one status; thousands that a test asks for at once differ in nothing that is held. */
const MAX_ALIKE = 200;
const alike = new Map<string, number>();

/** Loaded with the first answer: most tests have none to hold against it. */
let held: Promise<HeldDocument> | undefined;

async function loadDocument(): Promise<HeldDocument> {
  const document = await openapiDocument((await import('../../src/plugs.ts')).dialects());
  const ajv = new Ajv({ strict: false, allErrors: false, validateFormats: false, validateSchema: false, meta: false });
  ajv.addSchema(document, 'document');
  const paths = Object.entries(document.paths as Record<string, Record<string, Operation>>).map(
    ([template, operations]) => ({
      template,
      operations,
      pattern: new RegExp(
        `^${template
          .replace(/[.]/g, '\\.')
          .replace(/\{id\}/g, '.+')
          .replace(/\{[^}]+\}/g, '[^/]+')}$`,
      ),
    }),
  );
  return { ajv, paths };
}

/** What did not fit. */
const misfits: string[] = [];
const watched = new Set<string>();
let patched = false;

/** From now on what this process asks of the gateway at this address is held against the document. */
export function watchGateway(url: string): void {
  // Other suites send and receive what is wrong on purpose.
  if (!process.argv[1]?.includes('/integration/')) return;
  watched.add(new URL(url).origin);
  if (patched) return;
  patched = true;
  process.once('exit', tell);
  const plain = globalThis.fetch;
  globalThis.fetch = (async (...asked: Parameters<Fetch>) => {
    const response = await plain(...asked);
    const [input, init] = asked;
    const address = input instanceof Request ? input.url : String(input);
    if (URL.canParse(address) && watched.has(new URL(address).origin)) {
      const method = (init?.method ?? (input instanceof Request ? input.method : 'GET')).toUpperCase();
      try {
        held ??= loadDocument();
        hold(await held, new URL(address).pathname, method, init?.body, init?.headers, response);
      } catch (error) {
        misfits.push(`${method} ${address}: ${error}`);
      }
    }
    return response;
  }) as Fetch;
}

/** At the end, when all that was answered was read: a file whose traffic does not fit fails. */
function tell(): void {
  const told = [...new Set(misfits)];
  if (told.length === 0) return;
  console.error(`not as /openapi.json says:\n${told.join('\n')}`);
  process.exitCode = 1;
}

function hold(
  { ajv, paths }: HeldDocument,
  pathname: string,
  method: string,
  sent: unknown,
  headers: ConstructorParameters<typeof Headers>[0],
  response: Response,
): void {
  if (new Headers(headers).has('x-tfy-provider-name')) return;
  const path = pathname.replace(BASES, '') || '/';
  const found = paths.find(({ pattern }) => pattern.test(path));
  const name = method === 'HEAD' ? 'get' : method.toLowerCase();
  const operation = found?.operations[name];
  if (PASSED.test(path) || isEnough(`${method} ${found?.template} ${response.status}`)) return;
  if (response.ok && operation !== undefined && typeof sent === 'string') {
    const type = 'application/json';
    if (operation.requestBody?.content[type] !== undefined && new Headers(headers).get('content-encoding') === null) {
      check(
        ajv,
        ['paths', found?.template ?? '', name, 'requestBody', 'content', type, 'schema'],
        sent,
        `${method} ${path} asked`,
      );
    }
  }
  if (method === 'HEAD' || !(response.headers.get('content-type') ?? '').startsWith('application/json')) return;
  if (response.ok && (found === undefined || operation === undefined)) return;
  if (!response.ok && OWN_ERRORS.test(path)) return;
  const where = response.ok
    ? [
        'paths',
        found?.template ?? '',
        name,
        'responses',
        String(response.status),
        'content',
        'application/json',
        'schema',
      ]
    : ['components', 'schemas', 'Error'];
  if (!response.ok && operation !== undefined && operation.responses[String(response.status)] === undefined) {
    misfits.push(`${method} ${found?.template}: the status ${response.status} is not in the document`);
  }
  response
    .clone()
    .text()
    .then((text) => {
      if (text.length <= MAX_BYTES) check(ajv, where, text, `${method} ${path} answered ${response.status}`);
    })
    // The test has left, or its answer broke off: that is its own matter.
    .catch(() => {});
}

function isEnough(kind: string): boolean {
  const before = alike.get(kind) ?? 0;
  alike.set(kind, before + 1);
  return before >= MAX_ALIKE;
}

const OWN_ERRORS = /^\/messages|\/mcp\b/;
const PASSED = /^\/(proxy-api|gemini|bedrock|stt|tts|fine_tuning)\b/;

function check(ajv: Ajv, where: readonly string[], text: string, what: string): void {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    misfits.push(`${what}: no JSON: ${text.slice(0, 100)}`);
    return;
  }
  const pointer = where.map((each) => encodeURIComponent(each.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/');
  let fits = compiled.get(pointer);
  if (fits === undefined) {
    fits = ajv.compile({ $ref: `document#/${pointer}` });
    compiled.set(pointer, fits);
  }
  if (fits(value)) return;
  const [fault] = fits.errors ?? [];
  misfits.push(`${what}: ${fault?.instancePath} ${fault?.message} (${fault?.schemaPath}): ${text.slice(0, 200)}`);
}
