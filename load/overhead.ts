/** The composed table: what each subject costs, side by side, and what Sluice reaches of its goals. */
import { chatRequest, fetchOnce } from './chat-request.ts';
import type { Subject } from './peers/peer.ts';
import { formatFigure, renderTable } from './report.ts';
import type { ScenarioResult } from './rounds.ts';
import type { Bench } from './scenario.ts';

type Row = { title: string; scenario: string; key: string; digits: number };

const ROWS: Row[] = [
  { title: 'whole answers: requests/s', scenario: 'chat-whole', key: 'requestsPerSecond', digits: 0 },
  { title: '  p50 µs', scenario: 'chat-whole', key: 'latencyP50Us', digits: 0 },
  { title: '  p99 µs', scenario: 'chat-whole', key: 'latencyP99Us', digits: 0 },
  { title: '  CPU µs per request', scenario: 'chat-whole', key: 'cpuPerRequestUs', digits: 1 },
  { title: '  × nginx', scenario: 'chat-whole', key: 'vsNginx', digits: 2 },
  { title: '  × bare', scenario: 'chat-whole', key: 'vsBare', digits: 2 },
  { title: '  × before', scenario: 'chat-whole', key: 'vsSluice-before', digits: 3 },
  { title: '  × Portkey', scenario: 'chat-whole', key: 'vsPortkey', digits: 3 },
  { title: '  RSS peak MB', scenario: 'chat-whole', key: 'rssPeakMb', digits: 1 },
  { title: 'burst streams: streams/s', scenario: 'chat-burst', key: 'streamsPerSecond', digits: 0 },
  { title: '  first content p99 µs', scenario: 'chat-burst', key: 'firstContentP99Us', digits: 0 },
  { title: '  CPU µs per stream', scenario: 'chat-burst', key: 'cpuPerStreamUs', digits: 0 },
  { title: '  × nginx', scenario: 'chat-burst', key: 'vsNginx', digits: 2 },
  { title: '  × bare', scenario: 'chat-burst', key: 'vsBare', digits: 2 },
  { title: '  × before', scenario: 'chat-burst', key: 'vsSluice-before', digits: 3 },
  { title: 'paced streams: gap p99 µs', scenario: 'chat-paced', key: 'gapP99Us', digits: 0 },
  { title: '  CPU µs per chunk', scenario: 'chat-paced', key: 'cpuPerChunkUs', digits: 1 },
  { title: '  × nginx', scenario: 'chat-paced', key: 'vsNginx', digits: 2 },
  { title: '  × bare', scenario: 'chat-paced', key: 'vsBare', digits: 2 },
  { title: '  × before', scenario: 'chat-paced', key: 'vsSluice-before', digits: 3 },
  { title: 'added at 1 connection: p50 µs', scenario: 'added-latency', key: 'addedP50Us', digits: 0 },
  { title: '  p99 µs', scenario: 'added-latency', key: 'addedP99Us', digits: 0 },
];

export function renderOverhead(results: ScenarioResult[], subjects: Subject[], identical: Map<string, string>): string {
  const value = ({ scenario, key, digits }: Row, name: string): string => {
    const result = results.find((one) => one.scenario === scenario);
    const own = result?.subjects.find((one) => one.subject === name);
    return formatFigure(own?.figures[key], digits);
  };
  const shown = ROWS.filter((row) => subjects.some((subject) => value(row, subject.name) !== '–'));
  const rows = shown.map((row) => [row.title, ...subjects.map((subject) => value(row, subject.name))]);
  rows.push(['answers byte for byte', ...subjects.map((subject) => identical.get(subject.name) ?? '–')]);
  const voids = results.flatMap(({ scenario, subjects: found }) =>
    found.flatMap(({ subject, voids: reasons }) =>
      reasons.map((reason) => `  ${scenario}, ${subject}: void in ${reason}`),
    ),
  );
  return [renderTable(['', ...subjects.map((subject) => subject.name)], rows), ...voids].join('\n');
}

export const FIDELITY_MODELS: { model: string; stream: boolean }[] = [
  { model: 'mock-whole', stream: false },
  { model: 'mock-size-1mb', stream: false },
  { model: 'mock-burst-100', stream: true },
  { model: 'mock-burst-20-chunk-64kb', stream: true },
];

/** How many of the mock's answers come through a subject with the same bytes, e.g. `4 of 4`. */
export async function countIdentical(bench: Bench, subject: Subject): Promise<string> {
  let same = 0;
  for (const { model, stream } of FIDELITY_MODELS) {
    const sent = await fetchOnce(chatRequest(bench.direct, { model, stream }));
    // An answer that is cut or never ends is one that is not the same.
    const came = await fetchOnce(chatRequest(subject, { model, stream })).catch(() => undefined);
    if (came?.status === sent.status && came.body.equals(sent.body)) same++;
  }
  return `${same} of ${FIDELITY_MODELS.length}`;
}
