import type { Host, Treatment } from './namespaces.ts';

/** Between which two something happens; the nodes are named by what they are at that moment. */
export type Role = 'leader' | 'other' | 'clients' | 'postgres' | 'redis';

/** What is done to the network for a time. */
export interface Fault {
  readonly from: Role;
  readonly to: Role;
  readonly directions: 'both' | 'to' | 'back';
  readonly treatment: Treatment;
  readonly forMs: number;
}

const cutMs = 20_000;
/** Longer than the lease of the relay. */
const oneWayMs = 10_000;
const delayMs = 8_000;

const pairs = [
  ['leader', 'redis'],
  ['leader', 'postgres'],
  ['clients', 'leader'],
] as const;

/** One after the other. */
export const faults: readonly Fault[] = [
  ...pairs.flatMap(([from, to]): Fault[] => [
    { from, to, directions: 'both', treatment: 'drop', forMs: cutMs },
    { from, to, directions: 'to', treatment: 'drop', forMs: oneWayMs },
    { from, to, directions: 'back', treatment: 'drop', forMs: oneWayMs },
    { from, to, directions: 'both', treatment: 'delay', forMs: delayMs },
  ]),
  { from: 'other', to: 'redis', directions: 'both', treatment: 'drop', forMs: cutMs },
  { from: 'other', to: 'postgres', directions: 'both', treatment: 'drop', forMs: cutMs },
];

/** Which directions packets are treated in. */
export function directionsOf({ directions }: Fault, from: Host, to: Host): (readonly [Host, Host])[] {
  return [
    ...(directions === 'back' ? [] : [[from, to] as const]),
    ...(directions === 'to' ? [] : [[to, from] as const]),
  ];
}

/** For people. */
export function describeFault({ from, to, directions, treatment, forMs }: Fault): string {
  const arrow = { both: '⇄', to: '→', back: '←' }[directions];
  return `${from} ${arrow} ${to}, ${treatment === 'drop' ? 'cut silently' : 'delayed'} for ${forMs / 1_000} s`;
}
