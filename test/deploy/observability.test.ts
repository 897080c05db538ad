import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type TestServer, testServer } from '../support/server.ts';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

interface Panel {
  readonly title: string;
  readonly type: string;
  readonly datasource?: { readonly uid: string };
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
  readonly targets?: readonly { readonly expr: string }[];
}
const dashboard = JSON.parse(read('deploy/grafana/dashboards/realtime.json'));
const panels: Panel[] = dashboard.panels.filter(({ type }: Panel) => type !== 'row');

interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly labels: Record<string, string>;
  readonly annotations: Record<string, string>;
}
const alerts: Alert[] = parse(read('deploy/prometheus/realtime.rules.yml')).groups.flatMap(
  ({ rules }: { rules: Alert[] }) => rules,
);

/** As GitHub makes them of headings. */
const anchors = new Set(
  [...read('docs/operations.md').matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-'),
  ),
);

let server: TestServer;
/** The type of each metric that a server exposes, by its name. */
let exposed: Map<string, string>;

beforeAll(async () => {
  server = await testServer('postgres');
  const text = await (await fetch(`${server.url}/metrics`)).text();
  exposed = new Map([...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name, type]) => [name!, type!]));
});
afterAll(() => server.close());

const isExposed = (name: string) =>
  exposed.has(name) || exposed.get(name.replace(/_(?:bucket|sum|count)$/, '')) === 'histogram';
const namesOf = (expressions: readonly string[]) =>
  expressions.flatMap((expr) => expr.match(/\b(?:realtime|nodejs|process)_\w+/g) ?? []);

describe('the dashboard', () => {
  const { list } = dashboard.templating as { list: { name: string; definition: string }[] };
  const expressions = panels.flatMap(({ targets }) => targets!.map(({ expr }) => expr));

  test('asks for nothing but what a server exposes', () => {
    const names = namesOf([...expressions, ...list.map(({ definition }) => definition)]);
    expect(names.filter((name) => !isExposed(name))).toEqual([]);
  });

  test('shows every metric of ours', () => {
    const shown = namesOf(expressions).map((name) => name.replace(/_(?:bucket|sum|count)$/, ''));
    const ours = [...exposed.keys()].filter((name) => name.startsWith('realtime_'));
    expect(ours.filter((name) => !shown.includes(name))).toEqual([]);
  });

  test('says the unit of each panel, and asks the datasource that is provisioned', () => {
    const [source] = parse(read('deploy/grafana/provisioning/datasources/prometheus.yaml')).datasources;
    const wrong = panels.filter((panel) => {
      return !panel.fieldConfig?.defaults.unit || panel.datasource?.uid !== source.uid;
    });
    expect(wrong.map(({ title }) => title)).toEqual([]);
  });
});

describe('the alert rules', () => {
  test('ask for nothing but what a server exposes', () => {
    const names = namesOf(alerts.map(({ expr }) => expr));
    expect(names).not.toEqual([]);
    expect(names.filter((name) => !isExposed(name))).toEqual([]);
  });

  test.each(alerts)('$alert says how bad it is, what it is, and what to do', ({ labels, annotations }) => {
    expect(['critical', 'warning']).toContain(labels.severity);
    expect(annotations.summary).toBeTruthy();
    expect(annotations.description).toBeTruthy();
    const [file, anchor] = annotations.runbook_url!.split('#');
    expect(file).toMatch(/(?:^|\/)docs\/operations\.md$/);
    expect(anchors).toContain(anchor);
  });
});
