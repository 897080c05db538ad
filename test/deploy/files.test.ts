import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { parseConfig } from '../../src/config.ts';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

/** What the files set, and what they would be given as secrets. */
const secrets = {
  DATABASE_URL: 'postgres://realtime:secret@postgres:5432/realtime',
  REDIS_URL: 'rediss://:secret@redis:6379',
  JWT_SECRET: 'f00d'.repeat(16),
  METRICS_TOKEN: 'f00d'.repeat(16),
};
const known = new Set(
  [...read('src/config.ts').matchAll(/^ {4}([A-Z][A-Z0-9_]+):/gm)].map(([, name]) => name!),
);
const unknownOf = (environment: object) => Object.keys(environment).filter((name) => !known.has(name));

describe('the compose file', () => {
  const { services } = parse(read('deploy/compose.yaml'), { merge: true });
  const filled = (environment: Record<string, string>) =>
    Object.fromEntries(
      Object.entries(environment).map(([name, value]) => [
        name,
        value.replace(/\$\{(\w+):[^}]*\}/g, (_, variable) =>
          variable === 'CORS_ORIGINS' ? '' : secrets.JWT_SECRET,
        ),
      ]),
    );

  test.each(['node-1', 'node-2'])('gives %s a configuration that it starts with', (name) => {
    const { environment } = services[name];
    expect(unknownOf(environment)).toEqual([]);
    expect(parseConfig(filled(environment))).toMatchObject({ isProduction: true });
  });

  test('leaves a node the time to drain', () => {
    const { stop_grace_period: grace, environment } = services['node-1'];
    expect(Number.parseInt(grace, 10)).toBeGreaterThan(Number(environment.DRAIN_SECONDS) + 5);
  });

  test('asks for each secret, and the example file has a line for it', () => {
    const asked = [...read('deploy/compose.yaml').matchAll(/\$\{(\w+):\?/g)].map(([, name]) => name!);
    const example = read('deploy/.env.example');
    expect([...new Set(asked)].filter((name) => !example.includes(`\n${name}=\n`))).toEqual([]);
  });

  test('starts the nodes that nginx and Prometheus know', () => {
    const nodes = Object.keys(services).filter((name) => name.startsWith('node-'));
    const inNginx = [...read('deploy/nginx.conf').matchAll(/^ *server (node-\d+):4000/gm)].map(
      ([, name]) => name,
    );
    const [scraped] = parse(read('deploy/prometheus/prometheus.yml')).scrape_configs;
    expect(inNginx).toEqual(nodes);
    expect(scraped.static_configs[0].targets).toEqual(nodes.map((name) => `${name}:4000`));
  });
});

describe('the Kubernetes manifests', () => {
  const folder = 'deploy/kubernetes/';
  const { resources } = parse(read(`${folder}kustomization.yaml`)) as { resources: string[] };
  const objects = resources.flatMap((file) =>
    parseAllDocuments(read(folder + file)).map((document) => {
      expect(document.errors).toEqual([]);
      return document.toJS();
    }),
  );
  const of = (kind: string) => objects.find((object) => object.kind === kind);
  const pod = of('Deployment').spec.template.spec;
  const [container] = pod.containers;

  test('are all listed', () => {
    const files = readdirSync(new URL(`../../${folder}`, import.meta.url));
    expect(files.filter((file) => file !== 'kustomization.yaml').sort()).toEqual([...resources].sort());
  });

  test('give a node a configuration that it starts with', () => {
    const { data } = of('ConfigMap');
    expect(unknownOf(data)).toEqual([]);
    expect(parseConfig({ ...data, ...secrets })).toMatchObject({ isProduction: true });
  });

  test('leave a node the time to drain', () => {
    const [, before] = container.lifecycle.preStop.exec.command;
    const drain = Number(of('ConfigMap').data.DRAIN_SECONDS);
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(Number(before) + drain + 5);
  });

  test('ask for what there is, and for life where readiness is not meant', () => {
    expect(container.readinessProbe.httpGet.path).toBe('/ready');
    expect(container.livenessProbe.httpGet.path).toBe('/live');
    expect(container.startupProbe.httpGet.path).toBe('/live');
    expect(container.ports[0].containerPort).toBe(Number(of('ConfigMap').data.PORT));
  });

  test('keep a node from being root or writing anywhere but in /tmp', () => {
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1_000 });
    expect(container.securityContext).toMatchObject({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
  });

  test('select the pods that there are', () => {
    const { labels } = of('Deployment').spec.template.metadata;
    for (const kind of ['Deployment', 'PodDisruptionBudget']) {
      expect(of(kind).spec.selector.matchLabels).toEqual(labels);
    }
    expect(of('Service').spec.selector).toEqual(labels);
    expect(of('NetworkPolicy').spec.podSelector.matchLabels).toEqual(labels);
  });
});

describe('the lock file', () => {
  test('has the packages of every platform, so that `npm ci` takes it on each', () => {
    const { packages } = JSON.parse(read('package-lock.json')) as {
      packages: Record<string, { optionalDependencies?: Record<string, string> }>;
    };
    const names = new Set(
      Object.keys(packages).map((path) => path.slice(path.lastIndexOf('node_modules/') + 13)),
    );
    const missing = Object.values(packages).flatMap(({ optionalDependencies = {} }) =>
      Object.keys(optionalDependencies).filter((name) => !names.has(name)),
    );
    expect(missing).toEqual([]);
  });
});
