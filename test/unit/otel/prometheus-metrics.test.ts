import assert from 'node:assert/strict';
import { it } from 'node:test';
import { metricsOf } from '../../../src/otel/prometheus-metrics.ts';

const TEXT = `# HELP requests_total Requests, by path
# TYPE requests_total counter
requests_total{path="/a",who="x\\"y\\\\z\\n"} 5
requests_total{path="/b",who=""} 1e3

# HELP open Open now
# TYPE open gauge
open 2
# HELP took_ms Times
# TYPE took_ms histogram
took_ms_bucket{le="1",path="/a"} 2
took_ms_bucket{le="5",path="/a"} 2
took_ms_bucket{le="+Inf",path="/a"} 7
took_ms_sum{path="/a"} 40.5
took_ms_count{path="/a"} 7
# HELP none Nothing yet
# TYPE none counter
`;
const times = { startTimeUnixNano: '1000000', timeUnixNano: '2000000' };
const text = (key: string, stringValue: string) => ({ key, value: { stringValue } });

it('counters, gauges and histograms of the text format are the same in OTLP', () => {
  assert.deepEqual(metricsOf(TEXT, 1, 2), [
    {
      name: 'requests_total',
      description: 'Requests, by path',
      sum: {
        dataPoints: [
          { ...times, asDouble: 5, attributes: [text('path', '/a'), text('who', 'x"y\\z\n')] },
          { ...times, asDouble: 1000, attributes: [text('path', '/b'), text('who', '')] },
        ],
        aggregationTemporality: 2,
        isMonotonic: true,
      },
    },
    { name: 'open', description: 'Open now', gauge: { dataPoints: [{ ...times, asDouble: 2, attributes: [] }] } },
    {
      name: 'took_ms',
      description: 'Times',
      histogram: {
        dataPoints: [
          {
            ...times,
            count: '7',
            sum: 40.5,
            bucketCounts: ['2', '0', '5'],
            explicitBounds: [1, 5],
            attributes: [text('path', '/a')],
          },
        ],
        aggregationTemporality: 2,
      },
    },
  ]);
});
