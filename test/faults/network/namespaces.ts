import { execFileSync } from 'node:child_process';

/** Who is on the network. The clients are this very process, in the namespace that everything else is in. */
export const hosts = {
  clients: '10.77.0.10',
  a: '10.77.0.11',
  b: '10.77.0.12',
  postgres: '10.77.0.21',
  redis: '10.77.0.22',
} as const;
export type Host = keyof typeof hosts;

export const addressOf = (host: Host) => hosts[host];

const router = 'gcrt-router';
const gateway = '10.77.0.1';
const delayDevice = 'gcrt-delay';
const delayTable = '77';
const apart = (Object.keys(hosts) as Host[]).filter((host) => host !== 'clients');
const namespaceOf = (host: Host) => `gcrt-${host}`;

/**
 * Each host in a network namespace of its own, all connected by one more that routes between them. What is
 * between two of them can be dropped there without a word to either, each direction for itself.
 */
export function createNetwork(): void {
  removeNetwork();
  try {
    ip('netns', 'add', router);
  } catch (error) {
    throw new Error('This needs network namespaces, and root: `ip netns add` failed.', { cause: error });
  }
  inRouter('link', 'set', 'lo', 'up');
  execFileSync('ip', ['netns', 'exec', router, 'sysctl', '-qw', 'net.ipv4.ip_forward=1']);
  // Those that come back from the delay go on as usual.
  inRouter('rule', 'add', 'prio', '50', 'iif', delayDevice, 'lookup', 'main');
  for (const host of apart) {
    const namespace = namespaceOf(host);
    ip('netns', 'add', namespace);
    ip('-n', namespace, 'link', 'add', 'veth0', 'type', 'veth', 'peer', 'name', namespace, 'netns', router);
    connect(host, 'veth0', ['-n', namespace]);
    ip('-n', namespace, 'link', 'set', 'lo', 'up');
    ip('-n', namespace, 'route', 'add', 'default', 'via', gateway);
  }
  ip('link', 'add', 'gcrt-here', 'type', 'veth', 'peer', 'name', namespaceOf('clients'), 'netns', router);
  connect('clients', 'gcrt-here', []);
  ip('route', 'add', '10.77.0.0/24', 'via', gateway, 'src', hosts.clients);
}

/** Ends what still runs in the namespaces, those of an earlier run included, and removes them. */
export function removeNetwork(): void {
  for (const namespace of [...apart.map(namespaceOf), router]) {
    try {
      const pids = execFileSync('ip', ['netns', 'pids', namespace], { stdio: 'pipe' }).toString();
      for (const pid of pids.split('\n').filter(Boolean)) process.kill(Number(pid), 'SIGKILL');
      ip('netns', 'del', namespace);
    } catch {
      // There is none.
    }
  }
}

/** What a command line begins with that is to run on a host. */
export function on(host: Host): string[] {
  return ['ip', 'netns', 'exec', namespaceOf(host)];
}

/** What is done to the packets of one direction. */
export type Treatment = 'drop' | 'delay';

/** Treats what goes from one host to another, until the answer is called. */
export function treat(from: Host, to: Host, treatment: Treatment): () => void {
  const rule = ['prio', '100', 'from', hosts[from], 'to', hosts[to]];
  const action = treatment === 'drop' ? ['blackhole'] : ['lookup', delayTable];
  inRouter('rule', 'add', ...rule, ...action);
  return () => inRouter('rule', 'del', ...rule);
}

/** The command that delays what is routed into its device. */
export function delayCommand(delayMs: number, jitterMs: number): string[] {
  const script = new URL('delay.py', import.meta.url).pathname;
  return ['ip', 'netns', 'exec', router, 'python3', script, delayDevice, String(delayMs), String(jitterMs)];
}

/** Once the device is there. */
export function routeIntoDelay(): void {
  inRouter('link', 'set', delayDevice, 'up');
  inRouter('route', 'add', 'default', 'dev', delayDevice, 'table', delayTable);
}

function connect(host: Host, device: string, where: string[]): void {
  ip(...where, 'addr', 'add', `${hosts[host]}/32`, 'dev', device);
  ip(...where, 'link', 'set', device, 'up');
  ip(...where, 'route', 'add', gateway, 'dev', device);
  inRouter('addr', 'add', `${gateway}/32`, 'dev', namespaceOf(host));
  inRouter('link', 'set', namespaceOf(host), 'up');
  inRouter('route', 'add', hosts[host], 'dev', namespaceOf(host));
}

function inRouter(...parameters: string[]): void {
  ip('-n', router, ...parameters);
}

function ip(...parameters: string[]): void {
  execFileSync('ip', parameters, { stdio: 'pipe' });
}
