import { answeredLine, unansweredLine } from '../batches/line-result.ts';
import { isObject, type JsonObject, parseObject, stringOf } from '../codec/json-value.ts';
import { GatewayError } from '../core/errors.ts';
import type { Exchange, OrError } from '../core/exchange.ts';
import type { Dialect } from '../dialects/dialect.ts';
import { withoutBasePath } from '../edge/routes.ts';
import type { ProviderAccount, ProviderBatch, ReadBatches, TranslatedBatches, Wire } from '../providers/provider.ts';
import type { ProxyOptions } from '../proxy/proxy-options.ts';
import { queryParameter, withoutOwnBase } from '../proxy/proxy-path.ts';
import { makeAnswer } from '../relay/answer-translation.ts';
import { formOf } from '../relay/choose-mount.ts';
import type { KeptProviderBatch } from '../store/provider-batches.ts';
import { type BatchRoutes, pageLimit, readBatchRequest } from './batches-endpoint.ts';
import { answered, answerJson, ownersOf } from './files-endpoint.ts';
import { linesForProvider } from './provider-batch-lines.ts';
import { chargeOnce, targetOf } from './provider-charge.ts';
import { anyTarget, ProviderRequests } from './provider-requests.ts';

export interface ProviderBatchOptions {
  readonly proxy: ProxyOptions;
  readonly batches: BatchRoutes;
}

type Handle = (exchange: Exchange) => Promise<OrError<number>>;

const PATH = /^\/batches(?:\/([^/?]+)(?:\/(cancel|output))?)?$/;
/** Where a provider keeps results and no file of them: `output_file_id` of a batch is this and its id. */
const OUTPUT_FILE = 'batch-output-';
const CONTENT = new RegExp(`^/files/${OUTPUT_FILE}([^/?]+)/content$`);
/** Of whatever was begun elsewhere. */
const USUAL_ENDPOINT = '/v1/chat/completions';

/** Batches that a provider runs, asked for in OpenAI's form: https://platform.openai.com/docs/api-reference/batch */
export class ProviderBatchEndpoint {
  readonly #options: ProviderBatchOptions;

  constructor(options: ProviderBatchOptions) {
    this.#options = options;
  }

  /** False: the request is none of these, or passes as it is. */
  takes(exchange: Exchange): boolean {
    const handle = this.#handleFor(exchange);
    if (handle === undefined) return false;
    void answered(this.#options.batches.files.records, exchange, handle);
    return true;
  }

  #handleFor({ method, headers }: Exchange): Handle | undefined {
    const [path = ''] = withoutOwnBase(headers.url ?? '').split('?', 1);
    const inPath = PATH.exec(withoutBasePath(path));
    const output = CONTENT.exec(withoutBasePath(path));
    if (inPath === null && output === null) return undefined;
    const named = headers.tfy?.['x-tfy-provider-name'] ?? queryParameter(headers.query, 'tfyProviderName');
    const account = named === undefined ? undefined : this.#options.proxy.snapshot().routes.account(named);
    const form = account?.batches;
    if (account === undefined || form === undefined) return undefined;
    if (form.kind === 'none') {
      const { reason } = form;
      const detail = `${reason} Without x-tfy-provider-name the gateway runs the batch itself.`;
      return async () => new GatewayError('unsupported_operation', { detail, target: `${account.name}/*` });
    }
    const [, id = output?.[1], what = output === null ? undefined : 'output'] = inPath ?? [];
    if (method === 'GET' && id !== undefined && what === undefined)
      return (exchange) => this.#show(exchange, account, form, id);
    if (method === 'GET' && id !== undefined && what === 'output')
      return (exchange) => this.#output(exchange, account, form, id);
    if (form.kind === 'passed') return undefined;
    if (method === 'POST' && id === undefined) return (exchange) => this.#create(exchange, account, form);
    if (method === 'POST' && id !== undefined && what === 'cancel')
      return (exchange) => this.#cancel(exchange, account, form, id);
    if (method === 'GET' && id === undefined) return (exchange) => this.#list(exchange, account, form);
    return undefined;
  }

  #requests(exchange: Exchange, account: ProviderAccount): ProviderRequests {
    return new ProviderRequests(this.#options.proxy, exchange, account);
  }

  async #create(exchange: Exchange, account: ProviderAccount, form: TranslatedBatches): Promise<OrError<number>> {
    const { batches, proxy } = this.#options;
    const asked = await readBatchRequest(exchange, batches);
    if (asked instanceof GatewayError) return asked;
    const { endpoint, input_file_id: inputFileId, completion_window: completionWindow, metadata } = asked;
    const dialect = batches.endpoints.get(withoutBasePath(endpoint));
    if (dialect === undefined) throw new Error('the endpoint was checked before');
    const owners = ownersOf(exchange.principal, batches.files.settings());
    const lines = await linesForProvider({ exchange, account, form, dialect, inputFileId, owners, batches, proxy });
    if (lines instanceof GatewayError) return lines;
    const body = form.create(lines);
    const made = await this.#requests(exchange, account).whole({ method: 'POST', path: form.path, body });
    const batch = readBatch(made, form);
    if (batch instanceof GatewayError) return batch;
    const kept: KeptProviderBatch = {
      account: account.name,
      id: batch.id,
      endpoint,
      inputFileId,
      completionWindow,
      metadataJson: metadata ? JSON.stringify(metadata) : undefined,
    };
    const error = await batches.rows.keepProviderBatch(kept);
    if (error) proxy.log.warn({ batch: batch.id, error: error.message }, 'what was asked of a batch is not kept');
    answerJson(exchange, batchObject(batch, kept));
    return 200;
  }

  async #show(
    exchange: Exchange,
    account: ProviderAccount,
    form: ReadBatches & { kind: 'passed' | 'translated' },
    id: string,
  ): Promise<OrError<number>> {
    const requests = this.#requests(exchange, account);
    const answer = await requests.whole({ method: 'GET', path: batchPath(form, id) });
    const batch = readBatch(answer, form);
    if (batch instanceof GatewayError) return batch;
    if (batch.isOver) void this.#charged(exchange, account, form, batch).catch((error) => this.#failed(id, error));
    if (form.kind === 'translated') return this.#told(exchange, account, batch);
    const headers = ['content-type', 'application/json'];
    exchange.pushOwnHeaders(headers, 0);
    exchange.sink.start(200, headers);
    // Of OpenAI's own form no digit is changed.
    exchange.sink.end(answer instanceof GatewayError ? undefined : answer);
    return 200;
  }

  async #charged(exchange: Exchange, account: ProviderAccount, form: ReadBatches, batch: ProviderBatch) {
    const { batches, proxy } = this.#options;
    const requests = this.#requests(exchange, account);
    const error = await chargeOnce({ account, form, batch, requests, rows: batches.rows, log: proxy.log });
    if (error) this.#failed(batch.id, error);
    return error;
  }

  #failed(batch: string, error: unknown): void {
    const words = error instanceof Error || error instanceof GatewayError ? error.message : String(error);
    this.#options.proxy.log.warn({ batch, error: words }, 'the batch of a provider is not charged yet');
  }

  async #told(exchange: Exchange, account: ProviderAccount, batch: ProviderBatch): Promise<OrError<number>> {
    const kept = await this.#options.batches.rows.findProviderBatch(account.name, batch.id);
    if (kept instanceof GatewayError) return kept;
    answerJson(exchange, batchObject(batch, kept));
    return 200;
  }

  async #cancel(
    exchange: Exchange,
    account: ProviderAccount,
    form: TranslatedBatches,
    id: string,
  ): Promise<OrError<number>> {
    const request = { method: 'POST', path: form.path + form.cancel(id) } as const;
    const batch = readBatch(await this.#requests(exchange, account).whole(request), form);
    return batch instanceof GatewayError ? batch : this.#told(exchange, account, batch);
  }

  async #list(exchange: Exchange, account: ProviderAccount, form: TranslatedBatches): Promise<OrError<number>> {
    const { query } = exchange.headers;
    const limit = pageLimit(queryParameter(query, 'limit'));
    if (limit instanceof GatewayError) return limit;
    const page = form.page(limit, queryParameter(query, 'after'));
    const answer = await this.#requests(exchange, account).whole({ method: 'GET', path: form.path, query: page });
    if (answer instanceof GatewayError) return answer;
    const object = parseObject(answer.toString());
    const listed = object && form.list(object);
    if (listed === undefined) return new GatewayError('upstream_protocol');
    const { rows } = this.#options.batches;
    const read = listed.batches.map((each) => form.read(each)).filter((each) => each !== undefined);
    const data = await Promise.all(
      read.map(async (batch) => {
        const kept = await rows.findProviderBatch(account.name, batch.id);
        return batchObject(batch, kept instanceof GatewayError ? undefined : kept);
      }),
    );
    const [first_id = null, last_id = null] = [data[0]?.id, data.at(-1)?.id];
    answerJson(exchange, { object: 'list', data, first_id, last_id, has_more: listed.hasMore });
    return 200;
  }

  /** Charged first: whoever has the results has paid for them. */
  async #output(
    exchange: Exchange,
    account: ProviderAccount,
    form: ReadBatches & ({ kind: 'passed' } | ({ kind: 'translated' } & TranslatedBatches)),
    id: string,
  ): Promise<OrError<number>> {
    const requests = this.#requests(exchange, account);
    const batch = readBatch(await requests.whole({ method: 'GET', path: batchPath(form, id) }), form);
    if (batch instanceof GatewayError) return batch;
    const [path] = batch.results;
    if (!batch.isOver || path === undefined) {
      return new GatewayError('not_found', {
        detail: `The batch is ${batch.status.replace('_', ' ')} and has no output.`,
      });
    }
    const unpaid = await this.#charged(exchange, account, form, batch);
    if (unpaid) return unpaid;
    const rewrite = form.kind === 'passed' ? sameLine : await this.#rewriter(account, form, batch);
    if (rewrite instanceof GatewayError) return rewrite;
    const { sink } = exchange;
    const error = await requests.lines(
      { method: 'GET', path },
      (line) => {
        if (!sink.started) startLines(exchange);
        const written = rewrite(line);
        return written === undefined || sink.write(Buffer.concat([written, LINE_END]));
      },
      (local) => {
        sink.onDrained = () => local.drained();
        const before = exchange.onAbort;
        exchange.onAbort = (reason) => {
          before?.(reason);
          if (reason === 'drain') sink.cut();
          local.abort(reason);
        };
      },
    );
    if (error) {
      if (sink.started) sink.cut();
      return error;
    }
    if (!sink.started) startLines(exchange);
    sink.end();
    return 200;
  }

  async #rewriter(
    account: ProviderAccount,
    form: TranslatedBatches,
    batch: ProviderBatch,
  ): Promise<OrError<(line: Buffer) => Buffer | undefined>> {
    const { rows, endpoints } = this.#options.batches;
    const kept = await rows.findProviderBatch(account.name, batch.id);
    if (kept instanceof GatewayError) return kept;
    const dialect = endpoints.get(withoutBasePath(kept?.endpoint || USUAL_ENDPOINT));
    const wire = wireOf(account, form);
    if (dialect === undefined || wire === undefined) {
      return new GatewayError('unsupported_operation', { target: `${account.name}/*` });
    }
    const created = batch.endedAt ?? batch.createdAt ?? 0;
    return (line) => {
      const object = parseObject(line.toString());
      const result = object && form.result(object);
      if (result === undefined) return undefined;
      const { customId, answer, error } = result;
      if (answer === undefined) return unansweredLine(customId, error?.code ?? 'batch_error', error?.message ?? '');
      const model = stringOf(answer['model']) ?? '';
      const context = {
        exchangeId: batch.id,
        model: targetOf(account, model)?.id ?? model,
        includeUsage: true,
        created,
      };
      const body = rewritten(answer, dialect, wire, context);
      if (body instanceof GatewayError) return unansweredLine(customId, body.code, body.message);
      return answeredLine(customId, stringOf(answer['id']) ?? batch.id, {
        status: 200,
        headers: [],
        body,
        error: undefined,
      });
    };
  }
}

const LINE_END = Buffer.from('\n');

function sameLine(line: Buffer): Buffer {
  return line;
}

function startLines(exchange: Exchange): void {
  const headers = ['content-type', 'application/jsonl'];
  exchange.pushOwnHeaders(headers, 0);
  exchange.sink.start(200, headers);
}

type Context = Parameters<typeof makeAnswer>[0]['context'];

function rewritten(answer: JsonObject, dialect: Dialect, wire: Wire, context: Context): OrError<Buffer> {
  const bytes = Buffer.from(JSON.stringify(answer));
  if (formOf(wire) === dialect.name) return bytes;
  const made = makeAnswer({ dialect, wire, context, answer: bytes, parts: undefined });
  if (made instanceof GatewayError) return made;
  return 'failure' in made ? new GatewayError('upstream_protocol') : made.body;
}

export function wireOf(account: ProviderAccount, { wire }: TranslatedBatches): Wire | undefined {
  const mounts = [...(anyTarget(account)?.mounts.values() ?? [])].flat();
  return mounts.find(({ wire: { name } }) => name === wire)?.wire;
}

function batchPath({ path }: ReadBatches, id: string): string {
  return `${path}/${id}`;
}

function readBatch(answer: OrError<Buffer>, form: ReadBatches): OrError<ProviderBatch> {
  if (answer instanceof GatewayError) return answer;
  const object = parseObject(answer.toString());
  return (object && form.read(object)) ?? new GatewayError('upstream_protocol');
}

function batchObject(batch: ProviderBatch, kept: KeptProviderBatch | undefined) {
  const { id, status, endedAt } = batch;
  const endedAs = (wanted: string) => (status === wanted ? endedAt : null);
  const metadata: unknown = kept?.metadataJson === undefined ? null : JSON.parse(kept.metadataJson);
  return {
    id,
    object: 'batch',
    endpoint: kept?.endpoint || USUAL_ENDPOINT,
    errors: null,
    input_file_id: kept?.inputFileId ?? '',
    completion_window: kept?.completionWindow || '24h',
    status,
    output_file_id: batch.results.length > 0 ? `${OUTPUT_FILE}${id}` : null,
    error_file_id: null,
    created_at: batch.createdAt,
    in_progress_at: batch.createdAt,
    expires_at: batch.expiresAt,
    finalizing_at: null,
    completed_at: endedAs('completed'),
    failed_at: endedAs('failed'),
    expired_at: endedAs('expired'),
    cancelling_at: batch.cancellingAt,
    cancelled_at: endedAs('cancelled'),
    request_counts: batch.counts,
    metadata: isObject(metadata) ? metadata : null,
  };
}
