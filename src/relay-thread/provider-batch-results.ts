import { answeredLine, unansweredLine } from '../batches/line-result.ts';
import { type JsonObject, parseObject, stringOf } from '../codec/json-value.ts';
import { GatewayError } from '../core/errors.ts';
import type { Exchange, OrError } from '../core/exchange.ts';
import type { Dialect } from '../dialects/dialect.ts';
import { withoutBasePath } from '../edge/routes.ts';
import type { ProviderAccount, Wire } from '../providers/provider.ts';
import type { ProviderBatch, ReadBatches, TranslatedBatches } from '../providers/provider-batches.ts';
import { anyTarget } from '../proxy/asked-steps.ts';
import { makeAnswer } from '../relay/answer-translation.ts';
import { formOf } from '../relay/choose-mount.ts';
import type { BatchEndpoints } from './batch-endpoints.ts';
import { batchWire } from './provider-batch-lines.ts';
import { targetOf } from './provider-charge.ts';
import type { ProviderRequests } from './provider-requests.ts';

/** The endpoint of a batch that was not begun by the gateway. */
export const USUAL_ENDPOINT = '/v1/chat/completions';

const LINE_END = Buffer.from('\n');

/** A line of the provider's results → one of OpenAI's; undefined: it is none. */
type RewriteLine = (line: Buffer) => Buffer | undefined;

/** Sends the results of a batch line by line, file by file, at the pace of the client. */
export async function sendResults(
  exchange: Exchange,
  requests: ProviderRequests,
  form: ReadBatches,
  { results }: ProviderBatch,
  rewrite: RewriteLine,
): Promise<OrError<number>> {
  const { sink } = exchange;
  const start = (): void => {
    if (sink.started) return;
    const headers = ['content-type', 'application/jsonl'];
    exchange.pushOwnHeaders(headers, 0);
    sink.start(200, headers);
  };
  for (const each of results) {
    const error = await requests.results(
      each,
      form,
      (line) => {
        start();
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
  }
  start();
  sink.end();
  return 200;
}

export interface RewrittenBatch {
  readonly account: ProviderAccount;
  readonly form: TranslatedBatches;
  readonly batch: ProviderBatch;
  /** As it was asked for; undefined or empty: it was begun elsewhere. */
  readonly endpoint: string | undefined;
  readonly endpoints: BatchEndpoints;
}

export function lineRewriter({ account, form, batch, endpoint, endpoints }: RewrittenBatch): OrError<RewriteLine> {
  const dialect = endpoints.get(withoutBasePath(endpoint || USUAL_ENDPOINT));
  const mounts = anyTarget(account)?.mounts;
  const wire = dialect && mounts && batchWire(mounts, form, dialect);
  if (dialect === undefined || wire === undefined) {
    return new GatewayError('unsupported_operation', { target: `${account.name}/*` });
  }
  const created = batch.endedAt ?? batch.createdAt ?? 0;
  return (line) => {
    const object = parseObject(line.toString());
    const result = object && form.result(object);
    if (result === undefined) return undefined;
    const { customId, answer, model = stringOf(answer?.['model']) ?? '', error } = result;
    if (answer === undefined) return unansweredLine(customId, error?.code ?? 'batch_error', error?.message ?? '');
    const context = {
      exchangeId: batch.id,
      model: targetOf(account, model)?.id ?? model,
      includeUsage: true,
      created,
    };
    const body = rewritten(answer, dialect, wire, context);
    if (body instanceof GatewayError) return unansweredLine(customId, body.code, body.message);
    const requestId = stringOf(answer['id']) ?? batch.id;
    return answeredLine(customId, requestId, { status: 200, headers: [], body, error: undefined });
  };
}

type Context = Parameters<typeof makeAnswer>[0]['context'];

function rewritten(answer: JsonObject, dialect: Dialect, wire: Wire, context: Context): OrError<Buffer> {
  const bytes = Buffer.from(JSON.stringify(answer));
  if (formOf(wire) === dialect.name) return bytes;
  const made = makeAnswer({ dialect, wire, context, answer: bytes, parts: undefined });
  if (made instanceof GatewayError) return made;
  return 'failure' in made ? new GatewayError('upstream_protocol') : made.body;
}
