import { CUMULATIVE, type HistogramPoint, type KeyValue, type Metric, type NumberPoint } from './otlp-message.ts';

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)",?/g;

interface Family {
  readonly name: string;
  help: string;
  type: string;
  readonly samples: Sample[];
}

interface Sample {
  readonly name: string;
  readonly labels: readonly (readonly [string, string])[];
  readonly value: number;
}

/**
 * What GET /metrics shows, as OTLP metrics: counters become monotonic sums, histograms keep their buckets, all cumulative
 * since `startMs`. Text format: https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function metricsOf(text: string, startMs: number, nowMs: number): Metric[] {
  const times = { startTimeUnixNano: nanos(startMs), timeUnixNano: nanos(nowMs) };
  return families(text).map(({ name, help, type, samples }): Metric => {
    const described = { name, description: help };
    if (type === 'histogram') {
      return {
        ...described,
        histogram: { dataPoints: histograms(samples, times), aggregationTemporality: CUMULATIVE },
      };
    }
    const dataPoints = samples.map(({ labels, value }): NumberPoint => {
      return { ...times, asDouble: value, attributes: attributesOf(labels) };
    });
    if (type !== 'counter') return { ...described, gauge: { dataPoints } };
    return { ...described, sum: { dataPoints, aggregationTemporality: CUMULATIVE, isMonotonic: true } };
  });
}

function families(text: string): Family[] {
  const found: Family[] = [];
  for (const line of text.split('\n')) {
    if (line.startsWith('# HELP ')) {
      const [name = '', ...help] = line.slice(7).split(' ');
      found.push({ name, help: help.join(' '), type: 'gauge', samples: [] });
    } else if (line.startsWith('# TYPE ')) {
      const [name = '', type = 'gauge'] = line.slice(7).split(' ');
      if (found.at(-1)?.name !== name) found.push({ name, help: '', type, samples: [] });
      else found.at(-1)!.type = type;
    } else {
      const [, name, labels = '', value] = SAMPLE.exec(line) ?? [];
      if (name === undefined || value === undefined) continue;
      found.at(-1)?.samples.push({ name, labels: labelsOf(labels), value: numberOf(value) });
    }
  }
  return found.filter(({ samples }) => samples.length > 0);
}

function labelsOf(text: string): [string, string][] {
  return Array.from(text.matchAll(LABEL), ([, name = '', value = '']): [string, string] => [name, unescaped(value)]);
}

function unescaped(value: string): string {
  return value.includes('\\') ? value.replace(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char)) : value;
}

function numberOf(text: string): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY;
  return text === '-Inf' ? Number.NEGATIVE_INFINITY : Number(text);
}

type Times = Pick<HistogramPoint, 'startTimeUnixNano' | 'timeUnixNano'>;

/** Buckets of the text are cumulative and name their upper bounds; those of OTLP hold what lies between two. */
function histograms(samples: readonly Sample[], times: Times): HistogramPoint[] {
  const series = new Map<string, HistogramPoint & { seen: number }>();
  for (const { name, labels, value } of samples) {
    const own = labels.filter(([label]) => label !== 'le');
    const key = JSON.stringify(own);
    let point = series.get(key);
    if (point === undefined) {
      const attributes = attributesOf(own);
      point = { ...times, count: '0', sum: 0, bucketCounts: [], explicitBounds: [], attributes, seen: 0 };
      series.set(key, point);
    }
    if (name.endsWith('_sum')) point.sum = value;
    else if (name.endsWith('_count')) point.count = String(value);
    else {
      point.bucketCounts.push(String(value - point.seen));
      point.seen = value;
      const bound = numberOf(labels.find(([label]) => label === 'le')?.[1] ?? '+Inf');
      if (Number.isFinite(bound)) point.explicitBounds.push(bound);
    }
  }
  return Array.from(series.values(), ({ seen: _, ...point }) => point);
}

function attributesOf(labels: Sample['labels']): KeyValue[] {
  return labels.map(([key, stringValue]) => ({ key, value: { stringValue } }));
}

function nanos(epochMs: number): string {
  return `${BigInt(Math.round(epochMs)) * 1_000_000n}`;
}
