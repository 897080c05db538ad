import type { JournalEvent, Whisper } from '../realtime/event.ts';
import type { Positions } from '../realtime/position.ts';
import { Source } from '../realtime/source.ts';
import type { Events } from './event.ts';
import type { Messages } from './message.ts';
import type { Models } from './model.ts';
import type { Notifications } from './notification.ts';
import { furthest, type Resume } from './position.ts';
import { ChannelStrand, LastingStrand, ModelStrand, type Notice, type Strand } from './strand.ts';
import { signedIn, type Viewer } from './viewer.ts';

/** What a stream tells of beside what its viewer is notified of and what is emitted. */
export interface StreamSelection {
  readonly channels: readonly string[];
  readonly models: readonly string[];
}

export interface StreamOptions {
  readonly resume: Resume;
  readonly connectionId: string;
  /** Is told in its place: everything at or below the position has been sent, and nothing beyond. */
  tell(notice: Notice, position: number): void;
}

export type Streams = ReturnType<typeof createStreams>;

/** Everything for one viewer in one subscription. */
export function createStreams({ positions, notifications, events, messages, models }: StreamsOptions) {
  return {
    /**
     * What can no longer be followed ends by itself and is told as a notice; the rest goes on.
     * @throws NOT_FOUND, as it begins, for a channel or model that the viewer may not know of
     */
    async follow(
      viewer: Viewer | null,
      { channels, models: names }: StreamSelection,
      { resume, connectionId, tell }: StreamOptions,
    ): Promise<Source> {
      const me = signedIn(viewer);
      const after = furthest(positions, resume);
      const [emitted, notified, ...spoken] = await Promise.all([
        events.follow(me, null, [], connectionId),
        notifications.follow(me, {}, []),
        ...unique(channels).map((channel) => messages.follow(me, channel, [])),
      ]);
      const bundle = new Bundle(tell, [
        // First: what is emitted to several comes by the first of its topics, which is to be one of these.
        new LastingStrand(emitted.options),
        new LastingStrand(notified.options),
        ...unique(channels).map((channel, index) => new ChannelStrand(channel, spoken[index]!.options)),
        ...unique(names).map((model) => new ModelStrand(model, after, followModel(me, model))),
      ]);
      return new Source({
        after,
        about: unique(channels),
        topics: (position) => bundle.topics(position),
        wants: (event) => bundle.wants(event),
        hears: (whisper) => bundle.hears(whisper),
        turns: (event, isPast) => bundle.turns(event, isPast),
        ownTopic: emitted.options.ownTopic,
      });
    },
  };

  function followModel(viewer: Viewer, model: string) {
    return async (after: number | null) => {
      const resume = after === null ? [] : [positions.seal(after)];
      return (await models.follow(viewer, { model }, resume)).options;
    };
  }
}

/** The strands of one stream, and which of them have been touched since they were settled. */
class Bundle {
  #strands: Strand[];
  readonly #tell: StreamOptions['tell'];
  /** By the first event that touched it: its position. */
  #touched = new Map<Strand, number>();

  constructor(tell: StreamOptions['tell'], strands: Strand[]) {
    this.#tell = tell;
    this.#strands = strands;
  }

  wants(event: JournalEvent): boolean {
    return this.#strands.some((strand) => strand.wants(event));
  }

  hears(whisper: Whisper): boolean {
    return this.#strands.some((strand) => strand.hears?.(whisper));
  }

  turns(event: JournalEvent, isPast: boolean): boolean {
    const touched = this.#strands.filter((strand) => strand.isTouchedBy(event, isPast));
    for (const strand of touched) this.#touch(strand, event.position);
    return touched.length > 0;
  }

  /** Those that nothing has touched follow what they followed; where nothing has touched any, all begin anew. */
  async topics(position: number): Promise<string[]> {
    const touched = this.#touched;
    this.#touched = new Map();
    const asked = touched.size > 0 ? [...touched.keys()] : this.#strands;
    const settled = await Promise.allSettled(
      asked.map((strand) => this.#settle(strand, position, touched.get(strand) ?? null)),
    );
    const failed = settled.find(({ status }) => status === 'rejected');
    if (failed) throw (failed as PromiseRejectedResult).reason;
    return unique(this.#strands.flatMap(({ topics }) => [...topics]));
  }

  async #settle(strand: Strand, position: number, touchedAt: number | null): Promise<void> {
    try {
      const notice = await strand.settle(position, touchedAt);
      if (notice?.type === 'revoked') this.#strands = this.#strands.filter((other) => other !== strand);
      if (notice) this.#tell(notice, position);
    } catch (error) {
      // It is asked again.
      if (touchedAt !== null) this.#touch(strand, touchedAt);
      throw error;
    }
  }

  #touch(strand: Strand, position: number): void {
    this.#touched.set(strand, Math.min(position, this.#touched.get(strand) ?? position));
  }
}

const unique = (names: readonly string[]) => [...new Set(names)];

interface StreamsOptions {
  readonly positions: Positions;
  readonly notifications: Notifications;
  readonly events: Events;
  readonly messages: Messages;
  readonly models: Models;
}
