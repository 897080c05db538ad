/** Durations in words: how many, the usual one, and the worst ones. */
export function spread(milliseconds: readonly number[]): string {
  if (milliseconds.length === 0) return 'none';
  const sorted = [...milliseconds].sort((one, other) => one - other);
  const at = (share: number) => inWords(sorted[Math.ceil(share * sorted.length) - 1]!);
  return `p50 ${at(0.5)}, p95 ${at(0.95)}, max ${at(1)}`;
}

/** A duration as a person reads it. */
export function inWords(milliseconds: number): string {
  return milliseconds < 1_000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1_000).toFixed(1)} s`;
}
