declare module 'cluster-key-slot' {
  /** The slot of a key, of 16,384. */
  export default function calculateSlot(key: string): number;
}
