import type { IncomingMessage, ServerResponse } from 'node:http';
import { v7 as uuid } from 'uuid';
import type { Authenticated } from '../auth/authenticate.ts';
import type { Notice } from '../domain/strand.ts';
import type { StreamSelection, Streams } from '../domain/stream.ts';
import type { Users } from '../domain/user.ts';
import { Refusal } from '../errors.ts';
import type { JournalEvent, Whisper } from '../realtime/event.ts';
import { Group } from '../realtime/group.ts';
import type { Hub } from '../realtime/hub.ts';
import type { Meter } from '../realtime/meter.ts';
import type { Positions } from '../realtime/position.ts';
import { type Rendered, Renderings } from '../realtime/renderings.ts';
import { type Sink, Subscriber } from '../realtime/subscriber.ts';
import type { Tracer } from '../realtime/tracer.ts';
import { HttpRefusal } from './body.ts';
import { eventBlock, withId } from './event-block.ts';
import type { Dialect, EventStream, LetIn } from './event-stream.ts';
import type { Present } from './operation.ts';
import { blockOf } from './plain-json.ts';

/** While the database is away it is asked again this often. */
const retryMs = 250;

export type PlainEvents = ReturnType<typeof createPlainEvents>;

/** Everything for one viewer in one stream, for any `EventSource`. */
export function createPlainEvents(parts: PlainEventsParts) {
  const { letIn, limits, positions, users, present, meter, tracer } = parts;
  // What is said of an event is the same for all.
  const renderings = new Renderings({ render, meter, tracer });
  const open = new Set<Subscriber>();

  return {
    /** How many streams are open. */
    get size(): number {
      return open.size;
    },

    /** @throws what refuses it, as long as nothing has been said */
    async respond({ request, response, url, viewer }: PlainRequest): Promise<void> {
      const selection = selectionOf(url);
      if (selection.channels.length + selection.models.length > limits.subscriptionsPerConnection) {
        const most = `At most ${limits.subscriptionsPerConnection} channels and models are followed at once.`;
        throw new HttpRefusal(400, 'LIMIT_EXCEEDED', most);
      }
      const id = uuid();
      const wire = await letIn(id, response, viewer, dialectOf(id, viewer));
      if (wire.isOver) return;
      const stream = new PlainStream(wire, selection, { ...parts, renderings, open });
      try {
        await stream.start(resumeOf(request, url));
      } catch (error) {
        // It may have been told to leave meanwhile.
        if (wire.isOver) return;
        wire.close();
        throw error;
      }
      if (request.method === 'HEAD') wire.finish('');
    },
  };

  function render(event: JournalEvent | Whisper): Rendered | Promise<Rendered> {
    const position = 'position' in event ? positions.seal(event.position) : null;
    const block = blockOf(event, findPerson);
    const rendered = (payload: string): Rendered => ({ payload, position, bytes: {} });
    return typeof block === 'string' ? rendered(block) : block.then(rendered);
  }

  /** An event is not spent on a payload that lacks what cannot be read for the moment. */
  async function findPerson(id: string) {
    for (;;) {
      try {
        return (await users.byIds([id])).get(id) ?? null;
      } catch (error) {
        if (present(error).extensions.code !== 'UNAVAILABLE') return null;
        await wait(retryMs);
      }
    }
  }
}

/** The subscriber of a stream, and another one where it cannot go on. */
class PlainStream {
  readonly #wire: EventStream;
  readonly #selection: StreamSelection;
  readonly #parts: PlainStreamParts;
  #subscriber: Subscriber | undefined;

  constructor(wire: EventStream, selection: StreamSelection, parts: PlainStreamParts) {
    this.#wire = wire;
    this.#selection = selection;
    this.#parts = parts;
  }

  /** Continues where it can be, and otherwise goes on live, saying so. */
  async start(resume: readonly string[]): Promise<void> {
    const isContinued = await this.#follow(resume).catch((error: unknown) => {
      if (error instanceof Refusal && error.code === 'POSITION_EXPIRED') return false;
      throw error;
    });
    if (isContinued) return;
    this.#parts.meter.resumed('expired');
    await this.#followFromNow();
  }

  async #followFromNow(): Promise<void> {
    await this.#follow([]);
    this.#say('position_expired', {}, this.#subscriber!.startedAt);
  }

  /** False when there is no continuing from there. */
  async #follow(resume: readonly string[]): Promise<boolean> {
    const { streams, hub, meter, tracer, renderings, open } = this.#parts;
    const options = {
      ...{ resume, connectionId: this.#wire.id },
      tell: (notice: Notice, position: number) => {
        if (this.#subscriber === subscriber) this.#notify(notice, position);
      },
    };
    const source = (await streams.follow(this.#wire.viewer, this.#selection, options)).options;
    const group = new Group({ hub, meter, tracer, renderings, emptied: () => {} });
    const closed = () => void open.delete(subscriber);
    const subscriber: Subscriber = new Subscriber({ source, group, sink: this.#sink(), closed });
    open.add(subscriber);
    this.#subscriber = subscriber;
    const isContinued = await subscriber.start().catch((error: unknown) => {
      subscriber.close();
      throw error;
    });
    if (isContinued) this.#wire.follow(subscriber);
    else subscriber.close();
    return isContinued;
  }

  #sink(): Sink {
    const wire = this.#wire;
    return {
      write: (rendered) => wire.write(rendered),
      get isFull() {
        return wire.isFull;
      },
      drained: () => wire.drained(),
      end: () => void this.#restart(),
    };
  }

  /** The journal no longer holds what comes next. */
  async #restart(): Promise<void> {
    while (!this.#wire.isOver) {
      try {
        return await this.#followFromNow();
      } catch (error) {
        if (this.#parts.present(error).extensions.code !== 'UNAVAILABLE') return this.#wire.endWith(error);
        await wait(retryMs);
      }
    }
  }

  #notify(notice: Notice, position: number): void {
    const { type, ...about } = notice;
    if (!('refusal' in about)) return void this.#say(type, about, position);
    const { refusal, ...what } = about;
    this.#say(type, { code: refusal.code, message: refusal.message, ...what }, position);
  }

  #say(type: string, data: object, position: number): void {
    const block = eventBlock(type, { ...data, timestamp: new Date() });
    this.#wire.say(withId(this.#parts.positions.seal(position), block));
  }
}

/**
 * `connection_id` names the connection for `disconnect`, and as a recipient of `emitEvent`. When a node ends, not all
 * of its clients are to come back in one moment.
 */
function dialectOf(id: string, viewer: Authenticated): Dialect {
  const timestamp = () => new Date();
  return {
    opening: (position) => {
      const data = { connection_id: id, user_id: viewer.id, timestamp: timestamp() };
      const comeBackMs = Math.ceil((1 + 2 * Math.random()) * 1_000);
      return `retry: ${comeBackMs}\n${withId(position, eventBlock('connected', data))}`;
    },
    beat: (position) => withId(position, eventBlock('ping', { timestamp: timestamp() })),
    event: ({ payload, position }) => withId(position, payload),
    farewell: ({ message, extensions: { code } }) =>
      eventBlock('revoked', { code, message, timestamp: timestamp() }),
  };
}

/** A browser sends the header when it comes back; who opens a stream of their own at a place cannot. */
function resumeOf({ headers }: IncomingMessage, { searchParams }: URL): string[] {
  const given = [headers['last-event-id'], searchParams.get('lastEventId'), searchParams.get('after')];
  return given.flatMap((text) => (typeof text === 'string' && text !== '' ? [text] : []));
}

function selectionOf({ searchParams }: URL): StreamSelection {
  const listOf = (name: string) => [
    ...new Set(searchParams.getAll(name).flatMap((names) => names.split(',').filter((one) => one !== ''))),
  ];
  return { channels: listOf('channels'), models: listOf('models') };
}

const wait = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

export interface PlainRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  readonly viewer: Authenticated;
}

interface PlainEventsParts {
  readonly streams: Streams;
  readonly users: Users;
  readonly hub: Hub;
  readonly meter: Meter;
  readonly positions: Positions;
  readonly present: Present;
  readonly letIn: LetIn;
  readonly tracer: Tracer;
  readonly limits: { readonly subscriptionsPerConnection: number };
}

interface PlainStreamParts extends PlainEventsParts {
  readonly renderings: Renderings;
  readonly open: Set<Subscriber>;
}
