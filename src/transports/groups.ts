import { type ExecutionArgs, type ExecutionResult, execute } from 'graphql';
import { createContext, type Domain } from '../context.ts';
import type { Viewer } from '../domain/viewer.ts';
import type { JournalEvent, Whisper } from '../realtime/event.ts';
import { Group, type Rendered } from '../realtime/group.ts';
import type { Hub } from '../realtime/hub.ts';
import type { Meter } from '../realtime/meter.ts';
import type { Positions } from '../realtime/position.ts';
import type { Source } from '../realtime/source.ts';
import { type Sink, Subscriber } from '../realtime/subscriber.ts';
import { type Prepared, type Present, toJson } from './operation.ts';

/** While the database is away an event's payload is tried again this often. */
const retryMs = 250;

/** The groups of this node: who follows the same document with the same variables for the same viewer is in one. */
export class Groups {
  readonly #options: GroupsOptions;
  #groups = new Map<string, Group>();
  #fields = new Map<string, number>();

  constructor(options: GroupsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#groups.size;
  }

  get subscriptions(): number {
    return [...this.#fields.values()].reduce((sum, count) => sum + count, 0);
  }

  /** How many subscriptions there are, by field. */
  counts(): Record<string, number> {
    return Object.fromEntries(this.#fields);
  }

  /** A subscriber that has yet to be started. `closed` is to be called once it is no more. */
  join(prepared: Prepared, viewer: Viewer, source: Source, sink: Sink): Subscriber {
    const key = JSON.stringify([viewer.id, viewer.roles, prepared.shape, source.options.ownTopic]);
    const group = this.#groups.get(key) ?? this.#create(key, prepared, viewer);
    const { field } = prepared;
    this.#fields.set(field, (this.#fields.get(field) ?? 0) + 1);
    return new Subscriber({ source: source.options, group, sink, closed: () => this.#forget(field) });
  }

  #create(key: string, prepared: Prepared, viewer: Viewer): Group {
    const { hub, meter } = this.#options;
    const render = (event: JournalEvent | Whisper) => this.#render(event, prepared, viewer);
    const group = new Group({ hub, meter, render, emptied: () => this.#groups.delete(key) });
    this.#groups.set(key, group);
    return group;
  }

  #forget(field: string): void {
    const count = this.#fields.get(field)! - 1;
    if (count > 0) this.#fields.set(field, count);
    else this.#fields.delete(field);
  }

  #render(event: JournalEvent | Whisper, prepared: Prepared, viewer: Viewer): Rendered | Promise<Rendered> {
    const { domain, present, schema } = this.#options;
    const run = () =>
      execute({
        schema,
        document: prepared.document,
        operationName: prepared.operation.name?.value,
        variableValues: prepared.variables,
        rootValue: event,
        contextValue: createContext(domain, viewer),
      });
    const show = (result: ExecutionResult): Rendered | Promise<Rendered> => {
      const errors = result.errors?.map(present);
      // An event is not spent on a payload that only says that the database is away.
      if (errors?.some(({ extensions }) => extensions.code === 'UNAVAILABLE'))
        return wait(retryMs).then(run).then(show);
      const position = 'position' in event ? this.#options.positions.seal(event.position) : null;
      const extensions = position === null ? undefined : { position };
      const shown = errors ? { ...result, errors } : result;
      return { payload: JSON.stringify({ ...toJson(shown), extensions }), position };
    };
    const result = run();
    return result instanceof Promise ? result.then(show) : show(result);
  }
}

const wait = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

interface GroupsOptions {
  readonly schema: ExecutionArgs['schema'];
  readonly domain: Domain;
  readonly hub: Hub;
  readonly meter: Meter;
  readonly positions: Positions;
  readonly present: Present;
}
