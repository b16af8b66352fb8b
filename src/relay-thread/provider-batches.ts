import { isObject, parseObject } from '../codec/json-value.ts';
import { GatewayError } from '../core/errors.ts';
import type { Exchange, OrError } from '../core/exchange.ts';
import { withoutBasePath } from '../edge/routes.ts';
import type { ProviderAccount } from '../providers/provider.ts';
import type { ProviderBatch, ReadBatches, TranslatedBatches } from '../providers/provider-batches.ts';
import type { ProxyOptions } from '../proxy/proxy-options.ts';
import { queryParameter, withoutOwnBase } from '../proxy/proxy-path.ts';
import type { KeptProviderBatch } from '../store/provider-batches.ts';
import { answerBytes, answered, answerJson } from './answered-route.ts';
import { type BatchRoutes, pageLimit, readBatchRequest, windowOf } from './batches-endpoint.ts';
import { ownersOf } from './files-endpoint.ts';
import { linesForProvider, RUN_HERE } from './provider-batch-lines.ts';
import { lineRewriter, sendResults, USUAL_ENDPOINT } from './provider-batch-results.ts';
import { chargeOnce } from './provider-charge.ts';
import { ProviderRequests } from './provider-requests.ts';

export interface ProviderBatchOptions {
  readonly proxy: ProxyOptions;
  readonly batches: BatchRoutes;
}

type Handle = (exchange: Exchange) => Promise<OrError<number>>;

const PATH = /^\/batches(?:\/([^/?]+)(?:\/(cancel|output))?)?$/;
/** Where a provider keeps results and no file of them: `output_file_id` of a batch is this and its id. */
const OUTPUT_FILE = 'batch-output-';
const CONTENT = new RegExp(`^/files/${OUTPUT_FILE}([^/?]+)/content$`);
/** A list whose pages begin behind a cursor is read from its beginning, so many pages of so many batches at the most. */
const MAX_PAGES = 20;
const PAGE_LIMIT = 100;
const HOUR_MS = 3_600_000;

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
      const detail = `${reason} ${RUN_HERE}`;
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
    const windowMs = windowOf(completionWindow);
    if (windowMs instanceof GatewayError) return windowMs;
    const dialect = batches.endpoints.get(withoutBasePath(endpoint));
    if (dialect === undefined) throw new Error('the endpoint was checked before');
    const owners = ownersOf(exchange.principal, batches.files.settings());
    const made = await linesForProvider({ exchange, account, form, dialect, inputFileId, owners, batches, proxy });
    if (made instanceof GatewayError) return made;
    const request = form.create(made.lines, { wire: made.wire, windowHours: windowMs / HOUR_MS });
    if (request instanceof GatewayError) return request;
    const answer = await this.#requests(exchange, account).whole({ method: 'POST', ...request });
    const batch = readBatch(answer, form);
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
    const answer = await requests.batch({ method: 'GET', path: batchPath(form, id) }, form);
    if (answer instanceof GatewayError) return answer;
    const batch = readBatch(answer, form);
    if (batch instanceof GatewayError) return batch;
    if (batch.isOver) void this.#charged(exchange, account, form, batch).catch((error) => this.#failed(id, error));
    if (form.kind === 'translated') return this.#told(exchange, account, batch);
    // No digit of OpenAI's own form is changed.
    answerBytes(exchange, answer);
    return 200;
  }

  async #charged(exchange: Exchange, account: ProviderAccount, form: ReadBatches, batch: ProviderBatch) {
    const { batches, proxy } = this.#options;
    const requests = this.#requests(exchange, account);
    const error = await chargeOnce({
      account,
      form,
      batch,
      requests,
      rows: batches.rows,
      log: proxy.log,
      price: proxy.snapshot().price,
    });
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
    const requests = this.#requests(exchange, account);
    const answer = await requests.whole({ method: 'POST', path: form.path + form.cancel(id) });
    if (answer instanceof GatewayError) return answer;
    const told = readBatch(answer, form);
    // Some say nothing of it.
    const batch =
      told instanceof GatewayError
        ? readBatch(await requests.batch({ method: 'GET', path: batchPath(form, id) }, form), form)
        : told;
    return batch instanceof GatewayError ? batch : this.#told(exchange, account, batch);
  }

  async #list(exchange: Exchange, account: ProviderAccount, form: TranslatedBatches): Promise<OrError<number>> {
    const { query } = exchange.headers;
    const limit = pageLimit(queryParameter(query, 'limit'));
    if (limit instanceof GatewayError) return limit;
    const page = await this.#page(this.#requests(exchange, account), form, limit, queryParameter(query, 'after'));
    if (page instanceof GatewayError) return page;
    const { rows } = this.#options.batches;
    const data = await Promise.all(
      page.batches.map(async (batch) => {
        const kept = await rows.findProviderBatch(account.name, batch.id);
        return batchObject(batch, kept instanceof GatewayError ? undefined : kept);
      }),
    );
    const [first_id = null, last_id = null] = [data[0]?.id, data.at(-1)?.id];
    answerJson(exchange, { object: 'list', data, first_id, last_id, has_more: page.hasMore });
    return 200;
  }

  async #page(
    requests: ProviderRequests,
    form: TranslatedBatches,
    limit: number,
    after: string | undefined,
  ): Promise<OrError<ListedBatches>> {
    if (form.pagesBy === 'id' || after === undefined) {
      const page = await readPage(requests, form, limit, after);
      return page instanceof GatewayError ? page : { batches: page.batches, hasMore: page.next !== undefined };
    }
    const batches: ProviderBatch[] = [];
    let isBehind = false;
    let from: string | undefined;
    for (let pages = 0; pages < MAX_PAGES && batches.length <= limit; pages += 1) {
      const page = await readPage(requests, form, PAGE_LIMIT, from);
      if (page instanceof GatewayError) return page;
      for (const batch of page.batches) {
        if (isBehind) batches.push(batch);
        else isBehind = batch.id === after;
      }
      from = page.next;
      if (from === undefined) break;
    }
    if (!isBehind) {
      const detail = `None of the newest ${MAX_PAGES * PAGE_LIMIT} batches of the account has this id.`;
      return new GatewayError('invalid_parameter', { param: 'after', detail });
    }
    return { batches: batches.slice(0, limit), hasMore: batches.length > limit || from !== undefined };
  }

  /** Charged first: whoever has the results has paid for them. */
  async #output(
    exchange: Exchange,
    account: ProviderAccount,
    form: ReadBatches & ({ kind: 'passed' } | ({ kind: 'translated' } & TranslatedBatches)),
    id: string,
  ): Promise<OrError<number>> {
    const requests = this.#requests(exchange, account);
    const batch = readBatch(await requests.batch({ method: 'GET', path: batchPath(form, id) }, form), form);
    if (batch instanceof GatewayError) return batch;
    if (!batch.isOver || batch.results.length === 0) {
      return new GatewayError('not_found', {
        detail: `The batch is ${batch.status.replace('_', ' ')} and has no output.`,
      });
    }
    const unpaid = await this.#charged(exchange, account, form, batch);
    if (unpaid) return unpaid;
    if (form.kind === 'passed') return sendResults(exchange, requests, form, batch, (line) => line);
    const { rows, endpoints } = this.#options.batches;
    const kept = await rows.findProviderBatch(account.name, batch.id);
    if (kept instanceof GatewayError) return kept;
    const rewrite = lineRewriter({ account, form, batch, endpoint: kept?.endpoint, endpoints });
    return rewrite instanceof GatewayError ? rewrite : sendResults(exchange, requests, form, batch, rewrite);
  }
}

interface ListedBatches {
  readonly batches: readonly ProviderBatch[];
  readonly hasMore: boolean;
}

async function readPage(
  requests: ProviderRequests,
  form: TranslatedBatches,
  limit: number,
  from: string | undefined,
): Promise<OrError<{ batches: readonly ProviderBatch[]; next: string | undefined }>> {
  const query = form.page(limit, from);
  const answer = await requests.batch({ method: 'GET', path: form.path, query }, form);
  if (answer instanceof GatewayError) return answer;
  const object = parseObject(answer.toString());
  const page = object && form.list(object, limit, from);
  if (page === undefined) return new GatewayError('upstream_protocol');
  const { batches, next } = page;
  return { batches: batches.map((each) => form.read(each)).filter((each) => each !== undefined), next };
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
