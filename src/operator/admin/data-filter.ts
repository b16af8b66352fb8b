import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import { type AccessConfiguration, type SeenRequest, type Viewer, visibleTo } from '../../policy/data-access.ts';
import { storedTextMap, storedTexts } from '../../store/stored-json.ts';

/** What both the one who looks and the one as whom they look may see. Undefined: all. */
export function seesOf(
  query: URLSearchParams,
  viewer: Viewer | undefined,
  access: () => AccessConfiguration,
): OrError<((request: SeenRequest) => boolean) | undefined> {
  const subject = query.get('as');
  if (subject !== null && !/^(user|virtualaccount):.{1,256}$/.test(subject))
    return new GatewayError('invalid_parameter', { param: 'as', detail: 'It is `user:…` or `virtualaccount:…`.' });
  const viewers = [viewer, subject === null ? undefined : { subject, teams: [] }].filter((each) => each !== undefined);
  if (viewers.length === 0) return undefined;
  const tests = viewers.map((each) => visibleTo(each, 'traces', access()));
  return (request) => tests.every((test) => test(request));
}

export function seenOf(who: Readonly<Record<string, unknown>> & { readonly subject: string | null }): SeenRequest {
  return {
    subject: who.subject ?? undefined,
    teams: teamsOf(JSON.stringify(who['teams'])),
    metadata: metadataOf(JSON.stringify(who['metadata'])),
  };
}

/** Nothing is known of a text of ours that somebody changed. */
export function teamsOf(json: string | null): readonly string[] {
  try {
    return json === null ? [] : storedTexts(json);
  } catch {
    return [];
  }
}

export function metadataOf(json: string | null): Readonly<Record<string, string>> {
  try {
    return json === null ? {} : storedTextMap(json);
  } catch {
    return {};
  }
}

/** The labels as the ledger keeps them. */
export function seenLabels({
  subject,
  teams,
  metadata,
}: {
  readonly subject: string | null;
  readonly teams: string | null;
  readonly metadata: string | null;
}): SeenRequest {
  return { subject: subject ?? undefined, teams: teamsOf(teams), metadata: metadataOf(metadata) };
}
