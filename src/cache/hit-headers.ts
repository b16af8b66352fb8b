import { type JoinedHeaders, joinedHeaders } from '../core/header-lines.ts';
import { ownIds } from '../core/trace-context.ts';

/** See AnswerSource. */
interface HitSource {
  readonly exchange: string;
  readonly similarity: number | undefined;
}

/** What the head of an answer says of where it is from. `target`: `account/model`; undefined: it is not known yet. */
export function hitHeaders({ exchange, similarity }: HitSource, target: string | undefined): JoinedHeaders {
  const list = ['x-tfy-cache-status', 'hit', 'x-tfy-cached-trace-id', ownIds(exchange).traceId];
  if (target !== undefined) list.push('x-tfy-resolved-model', target);
  if (similarity !== undefined) list.push('x-tfy-cache-similarity-score', similarity.toFixed(4));
  return joinedHeaders(list);
}
