import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { documentsOf, textOf } from '../../support/deploy-files.ts';
import { inlineCode, page, section } from '../../support/pages.ts';

interface Family {
  readonly type: string;
  readonly labels: readonly string[];
}

/** The table of docs/metrics.md, which another test compares with a gateway that runs. */
const families = new Map<string, Family>(
  [...page('docs/metrics.md').matchAll(/^\| `(\w+)` \| (\w+) \| ([^|]*) \|/gm)].map(
    ([, name = '', type = '', labels = '']) => [name, { type, labels: labels.split(', ').filter(Boolean) }],
  ),
);

const panel = z.looseObject({
  title: z.string(),
  targets: z.array(z.looseObject({ expr: z.string(), legendFormat: z.string() })).default([]),
});
const dashboard = z.looseObject({ title: z.string(), panels: z.array(panel) });
const rules = z.strictObject({
  groups: z.array(
    z.strictObject({
      name: z.string(),
      rules: z.array(
        z.strictObject({
          alert: z.string(),
          expr: z.string(),
          for: z.string().optional(),
          labels: z.strictObject({ severity: z.enum(['critical', 'warning']) }),
          annotations: z.strictObject({ summary: z.string() }),
        }),
      ),
    }),
  ),
});

interface Query {
  readonly where: string;
  readonly expr: string;
  /** Labels that the text beside it shows. */
  readonly shown: readonly string[];
}

const { panels } = dashboard.parse(JSON.parse(await textOf('deploy/grafana/dashboards/sluice.json')));
const [{ groups } = { groups: [] }] = await documentsOf('deploy/prometheus/alerts.yml', rules);
const queries: readonly Query[] = [
  ...panels.flatMap(({ title, targets }) =>
    targets.map(({ expr, legendFormat }) => ({ where: title, expr, shown: words(legendFormat, /\{\{(\w+)\}\}/g) })),
  ),
  ...groups.flatMap(({ rules: list }) =>
    list.map(({ alert, expr, annotations }) => ({
      where: alert,
      expr,
      shown: words(annotations.summary, /\$labels\.(\w+)/g),
    })),
  ),
];

function words(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, word = '']) => word);
}

/** What Prometheus adds to every sample that it scrapes. */
const SCRAPED = ['instance', 'job'];
const KEYWORDS = new Set(['and', 'or', 'unless']);

/** What an expression names: metrics, labels in its selectors, labels that it groups by. */
function namesIn(expr: string): { metrics: string[]; selected: string[]; grouped: string[] | undefined } {
  const grouping = /\b(?:by|without)\s*\(([^)]*)\)/g;
  const bare = expr.replace(/"[^"]*"/g, '""').replace(/\[[^\]]*\]/g, '');
  const selected = words(bare, /\{([^}]*)\}/g).flatMap((list) => words(list, /(\w+)\s*[=!]/g));
  const groups = words(bare, grouping).map((list) => list.split(',').map((label) => label.trim()));
  const rest = bare.replace(/\{[^}]*\}/g, '').replace(grouping, '');
  const metrics = words(rest, /\b([a-z_]\w*)\b(?!\s*\()/g).filter((word) => !KEYWORDS.has(word));
  return { metrics, selected, grouped: groups.at(-1) };
}

function familyOf(metric: string): { family: Family | undefined; labels: readonly string[] } {
  if (metric === 'up') return { family: { type: 'gauge', labels: [] }, labels: [] };
  const base = metric.replace(/_(?:bucket|sum|count)$/, '');
  const histogram = base === metric ? undefined : families.get(base);
  if (histogram?.type === 'histogram') return { family: histogram, labels: [...histogram.labels, 'le'] };
  const family = families.get(metric);
  // Without its suffix a histogram has no samples.
  return { family: family?.type === 'histogram' ? undefined : family, labels: family?.labels ?? [] };
}

test('every metric that the dashboard and the alert rules ask for is one of the gateway', () => {
  assert.ok(queries.length > 30);
  for (const { where, expr } of queries) {
    const { metrics } = namesIn(expr);
    assert.ok(metrics.length > 0, where);
    for (const metric of metrics) assert.ok(familyOf(metric).family, `${where}: ${metric}`);
  }
});

test('every label that the dashboard and the alert rules name is one of the metric that they ask for', () => {
  for (const { where, expr, shown } of queries) {
    const { metrics, selected, grouped } = namesIn(expr);
    for (const metric of metrics) {
      const labels = [...SCRAPED, ...familyOf(metric).labels];
      for (const label of [...selected, ...(grouped ?? [])]) assert.ok(labels.includes(label), `${where}: ${label}`);
      for (const label of shown) assert.ok((grouped ?? labels).includes(label), `${where} shows ${label}`);
    }
  }
});

test('a counter is asked for its growth, since it begins at zero with each start, and nothing else is', () => {
  for (const { where, expr } of queries) {
    for (const metric of namesIn(expr).metrics) {
      const { type } = familyOf(metric).family ?? { type: '' };
      const grows = new RegExp(`\\b(?:rate|increase)\\(${metric}\\b`).test(expr);
      assert.equal(grows, type !== 'gauge', `${where}: ${metric}`);
    }
  }
});

test('every metric that operators should watch is in the alert rules', () => {
  const asked = new Set(groups.flatMap((group) => group.rules.flatMap(({ expr }) => namesIn(expr).metrics)));
  const watched = section('docs/operate.md', 'Metrics to watch').flatMap((line) =>
    line.startsWith('| `') ? inlineCode(line.split('|')[1] ?? '') : [],
  );
  assert.ok(watched.length > 5);
  for (const metric of watched) assert.ok(asked.has(metric), metric);
});
