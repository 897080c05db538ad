import type { JournalEvent, Whisper } from './event.ts';

/** Is told when something happens in the topics that it is attached to. */
export interface Watcher {
  /** May come before its turn, that is above the watermark; and again, when it changes rights. */
  arrived(event: JournalEvent): void;
  whispered(whisper: Whisper): void;
  /** Another epoch has begun: what lay above is gone, and others may come in its place. */
  renewed(until: number): void;
  /** The watermark moved. Told to those who asked by `awaitWatermark`. */
  advanced(): void;
}
