import { GatewayError } from '../core/errors.ts';
import type { Exchange, OrError } from '../core/exchange.ts';
import { localHeaders } from '../core/local-exchange.ts';
import type { Dialect } from '../dialects/dialect.ts';
import { withoutBasePath } from '../edge/routes.ts';
import { readBatchLine } from '../files/batch-lines.ts';
import { linesOf } from '../files/blob-lines.ts';
import type { Mounts, ProviderAccount, Target, Wire } from '../providers/provider.ts';
import type { ProviderBatchLine, TranslatedBatches } from '../providers/provider-batches.ts';
import { anyTarget } from '../proxy/asked-steps.ts';
import type { ProxyOptions } from '../proxy/proxy-options.ts';
import { formOf } from '../relay/choose-mount.ts';
import { translateRequest } from '../relay/request-translation.ts';
import type { BatchRoutes } from './batches-endpoint.ts';

export interface LinesForProvider {
  readonly exchange: Exchange;
  readonly account: ProviderAccount;
  readonly form: TranslatedBatches;
  readonly dialect: Dialect;
  readonly inputFileId: string;
  readonly owners: readonly string[];
  readonly batches: BatchRoutes;
  readonly proxy: ProxyOptions;
}

/** Advice for errors of requests that a provider cannot serve. */
export const RUN_HERE = 'Without x-tfy-provider-name the gateway runs the batch itself.';
/** Lines that are made in one turn of the loop. */
const LINES_A_TURN = 64;

export interface MadeLines {
  readonly lines: readonly ProviderBatchLine[];
  /** Name of the wire in whose form they are. */
  readonly wire: string;
}

/** The lines of a file of the gateway's, each in the provider's form; or the first that cannot be. */
export async function linesForProvider(options: LinesForProvider): Promise<OrError<MadeLines>> {
  const { inputFileId, owners, batches, form, account, dialect } = options;
  const mounts = anyTarget(account)?.mounts;
  const wire = mounts && batchWire(mounts, form, dialect);
  if (wire === undefined) {
    const detail = `Batches of this provider have no such endpoint. ${RUN_HERE}`;
    return new GatewayError('unsupported_operation', { detail, target: `${account.name}/*` });
  }
  const { limits } = batches.files.settings();
  const file = await batches.files.rows.find(inputFileId, owners);
  if (file instanceof GatewayError) {
    if (file.code !== 'not_found') return file;
    return unfit('input_file_id', 'You have no file of this id at the gateway: upload it without x-tfy-provider-name.');
  }
  if (file.purpose !== 'batch') return unfit('input_file_id', `The file was uploaded for ${file.purpose}.`);
  if (file.bytes > limits.maxBodyBytes) {
    const setting = `limits.max_body_bytes: ${limits.maxBodyBytes}`;
    return new GatewayError('body_too_large', { detail: 'The lines of such a batch go in one request.', setting });
  }
  const blob = await batches.files.blobs.open(file.id);
  if (blob === undefined) return unfit('input_file_id', 'The bytes of this file are not on this gateway.');
  const lines: ProviderBatchLine[] = [];
  try {
    for await (const read of linesOf(blob, 0, blob.bytes, limits.maxBodyBytes)) {
      for (const { bytes } of read) {
        const number = lines.length + 1;
        if (number > form.maxLines) return unfit('input_file_id', `The provider takes ${form.maxLines} lines at most.`);
        const line = lineFor(options, bytes);
        if (line instanceof GatewayError) return inLine(number, line);
        lines.push(line);
        if (number % LINES_A_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    }
  } finally {
    await blob.close();
  }
  return { lines, wire: wire.name };
}

function lineFor(
  { exchange, account, form, dialect, proxy }: LinesForProvider,
  bytes: Buffer,
): OrError<ProviderBatchLine> {
  const line = readBatchLine(bytes);
  if (typeof line === 'string') return unfit('input_file_id', `Of it ${line}.`);
  const { customId, body } = line;
  const path = withoutBasePath(line.url);
  if (!dialect.routes.some(({ pattern }) => pattern === path))
    return unfit('input_file_id', 'Its url is another endpoint than that of the batch.');
  const scan = dialect.scan({ path, params: {}, headers: localHeaders(undefined) });
  scan.advance(body, body.length);
  const peeked = scan.result(body);
  if (peeked instanceof GatewayError) return peeked;
  if (peeked.stream) return unfit('stream', 'A line of a batch has one whole answer.');
  const prefix = `${account.name}/`;
  const name = peeked.model.startsWith(prefix) ? peeked.model.slice(prefix.length) : peeked.model;
  const target = account.target(name);
  if (target === undefined) return unfit('model', `\`${account.name}\` has no model \`${name.slice(0, 128)}\`.`);
  const caller = proxy.snapshot().callers.of(exchange.principal);
  if (!caller.allows(target.id)) {
    const detail = `\`${exchange.principal.subject}\` may not use \`${target.id}\`.`;
    return new GatewayError('model_forbidden', { param: 'model', detail, target: target.id });
  }
  const made = madeFor(target, form, dialect, body, peeked);
  const { id, modelId } = target;
  return made instanceof GatewayError ? made : { customId, model: id.slice(prefix.length), modelId, body: made };
}

/** The wire in whose form lines of a dialect are; undefined: the provider's batches cannot say what is asked. */
export function batchWire(mounts: Mounts, { wires }: TranslatedBatches, dialect: Dialect): Wire | undefined {
  const able = [...mounts.values()].flat().flatMap(({ wire }) => (wires.includes(wire.name) ? [wire] : []));
  const { translation } = dialect;
  return (
    able.find((wire) => formOf(wire) === dialect.name) ??
    able.find((wire) => wire.translation !== undefined && translation?.to.includes(wire.operation))
  );
}

function madeFor(
  target: Target,
  form: TranslatedBatches,
  dialect: Dialect,
  body: Buffer,
  peeked: Parameters<Dialect['splice']>[1],
): OrError<Buffer> {
  const wire = batchWire(target.mounts, form, dialect);
  if (wire === undefined) return new GatewayError('unsupported_operation', { target: target.id });
  if (formOf(wire) === dialect.name) {
    const { modelId, abilities, rules } = target;
    const edits = { modelId, askUsage: false, developerAsSystem: !abilities.developerRole, rules };
    const spliced = dialect.splice(body, peeked, edits);
    return Array.isArray(spliced) ? Buffer.concat(spliced) : spliced;
  }
  const to = wire.translation!;
  const made = translateRequest(dialect.translation!, to, target, { body, cacheMarker: undefined });
  if (made instanceof GatewayError) return made;
  if (made.more !== undefined) {
    return new GatewayError('unsupported_operation', {
      detail: `The provider takes ${made.partInputs} inputs of one line at most.`,
      target: target.id,
    });
  }
  const whole = Array.isArray(made.body) ? Buffer.concat(made.body) : made.body;
  if (!Buffer.isBuffer(whole)) return new GatewayError('unsupported_operation', { target: target.id });
  return to.adapted?.(whole, target) ?? whole;
}

function unfit(param: string, detail: string): GatewayError {
  return new GatewayError('invalid_parameter', { param, detail });
}

/** The caller has many lines. */
function inLine(number: number, error: GatewayError): GatewayError {
  const { detail = error.message } = error.context;
  return new GatewayError(error.code, { ...error.context, detail: `Line ${number}: ${detail}` });
}
