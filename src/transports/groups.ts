import { type DocumentNode, type ExecutionArgs, type ExecutionResult, execute } from 'graphql';
import { createCommonContext, createContext, type Domain } from '../context.ts';
import type { Viewer } from '../domain/viewer.ts';
import { type About, brief } from '../observability/about.ts';
import type { Log } from '../observability/log.ts';
import type { JournalEvent, Whisper } from '../realtime/event.ts';
import { Group } from '../realtime/group.ts';
import type { Hub } from '../realtime/hub.ts';
import type { Meter } from '../realtime/meter.ts';
import type { Positions } from '../realtime/position.ts';
import { type Rendered, Renderings } from '../realtime/renderings.ts';
import type { Source, SourceOptions } from '../realtime/source.ts';
import { type Sink, Subscriber } from '../realtime/subscriber.ts';
import type { Tracer } from '../realtime/tracer.ts';
import { isCommon } from '../schema/common.ts';
import { type Prepared, type Present, rootFieldsOf, toJson } from './operation.ts';

/** While the database is away an event's payload is tried again this often. */
const retryMs = 250;

/** A sink that knows whose it is. */
export interface ViewerSink extends Sink {
  readonly viewer: Viewer | null;
}

/** Those that are shown the same, and how it is made. */
interface Audience {
  readonly operation: Operation;
  /** Null: what is shown is common to all viewers. */
  readonly viewer: Viewer | null;
  readonly key: string;
  readonly shows: SourceOptions['shows'];
  readonly renderings: Renderings;
  readonly groups: Map<string, Group>;
}

type Operation = Pick<Prepared, 'document' | 'operation' | 'variables' | 'shape'>;

/**
 * The groups of this node. Who asks for the same in the same words is shown what was executed once, where the
 * schema declares that it is common to all viewers; and who may moreover see the same events is in one group.
 */
export class Groups {
  readonly #options: GroupsOptions;
  #audiences = new Map<string, Audience>();
  #fields = new Map<string, number>();
  #isCommon = new WeakMap<DocumentNode, boolean>();

  constructor(options: GroupsOptions) {
    this.#options = options;
  }

  get size(): number {
    return [...this.#audiences.values()].reduce((sum, { groups }) => sum + groups.size, 0);
  }

  get subscriptions(): number {
    return [...this.#fields.values()].reduce((sum, count) => sum + count, 0);
  }

  /** How many subscriptions there are, by field. */
  counts(): Record<string, number> {
    return Object.fromEntries(this.#fields);
  }

  /** A subscriber that has yet to be started. */
  join(
    { document, operation, variables, shape, field }: Prepared,
    source: Source,
    sink: ViewerSink,
  ): Subscriber {
    const group = this.#groupOf({ document, operation, variables, shape }, source.options, sink.viewer!);
    this.#fields.set(field, (this.#fields.get(field) ?? 0) + 1);
    return new Subscriber({ source: source.options, group, sink, closed: () => this.#forget(field) });
  }

  #groupOf(operation: Operation, source: SourceOptions, viewer: Viewer): Group {
    const audience = this.#audienceOf(operation, source, viewer);
    const { groups, renderings } = audience;
    const key =
      audience.viewer === null && source.isCommon ? '' : JSON.stringify([viewer.id, source.ownTopic]);
    const known = groups.get(key);
    if (known) return known;
    const { hub, meter, tracer } = this.#options;
    const emptied = () => {
      groups.delete(key);
      if (groups.size === 0) this.#drop(audience);
    };
    const group = new Group({ hub, meter, tracer, renderings, emptied });
    groups.set(key, group);
    return group;
  }

  #audienceOf(operation: Operation, { shows, version }: SourceOptions, everyone: Viewer): Audience {
    const viewer = this.#mayBeCommon(operation.document) ? null : everyone;
    const key = keyOf(operation, version, viewer);
    const known = this.#audiences.get(key);
    if (known) return known;
    const render = (event: JournalEvent | Whisper) => this.#render(event, audience);
    const renderings = new Renderings({ render, meter: this.#options.meter, tracer: this.#options.tracer });
    const audience: Audience = { operation, viewer, key, shows, renderings, groups: new Map() };
    this.#audiences.set(key, audience);
    return audience;
  }

  #drop(audience: Audience): void {
    audience.renderings.close();
    if (this.#audiences.get(audience.key) === audience) this.#audiences.delete(audience.key);
  }

  #mayBeCommon(document: DocumentNode): boolean {
    const known = this.#isCommon.get(document);
    if (known !== undefined) return known;
    const answer = isCommon(this.#options.schema, document);
    this.#isCommon.set(document, answer);
    return answer;
  }

  /** What was declared common is not: from now on it is executed for each viewer. */
  #part({ operation, groups }: Audience): void {
    // A document has an audience for each choice of its variables, and each comes apart when it is touched.
    if (this.#mayBeCommon(operation.document)) {
      this.#isCommon.set(operation.document, false);
      this.#options.log.error(
        { operation: operation.shape },
        'what is declared common depends on its viewer: it is executed for each from now on',
      );
    }
    for (const group of [...groups.values()]) {
      for (const subscriber of group.subscribers) {
        const { viewer } = subscriber.sink as ViewerSink;
        subscriber.move(this.#groupOf(operation, subscriber.source, viewer!));
      }
    }
  }

  #forget(field: string): void {
    const count = this.#fields.get(field)! - 1;
    if (count > 0) this.#fields.set(field, count);
    else this.#fields.delete(field);
  }

  #render(event: JournalEvent | Whisper, audience: Audience): Rendered | Promise<Rendered> {
    const { domain, present, schema, isLenient } = this.#options;
    const { document, operation, variables } = audience.operation;
    let isTouched = false;
    const touch = () => {
      isTouched = true;
    };
    const run = () =>
      execute({
        schema,
        document,
        operationName: operation.name?.value,
        variableValues: variables,
        rootValue: audience.shows && 'position' in event ? audience.shows(event) : event,
        contextValue: audience.viewer
          ? createContext(domain, audience.viewer)
          : createCommonContext(domain, touch),
      });
    const show = (result: ExecutionResult): Rendered | Promise<Rendered> => {
      if (isTouched && isLenient) {
        this.#part(audience);
        // Nobody is left here who could be sent it.
        return { payload: '', position: null, bytes: {} };
      }
      const errors = result.errors?.map((error) => present(error, aboutOf(audience)));
      // An event is not spent on a payload that only says that the database is away.
      if (errors?.some(({ extensions }) => extensions.code === 'UNAVAILABLE'))
        return wait(retryMs).then(run).then(show);
      const position = 'position' in event ? this.#options.positions.seal(event.position) : null;
      const extensions = position === null ? undefined : { position };
      const shown = errors ? { ...result, errors } : result;
      return { payload: JSON.stringify({ ...toJson(shown), extensions }), position, bytes: {} };
    };
    const result = run();
    return result instanceof Promise ? result.then(show) : show(result);
  }
}

const keyOf = ({ shape }: Operation, version: string | undefined, viewer: Viewer | null) =>
  JSON.stringify([shape, version, viewer?.id, viewer?.roles]);

/** Whose payload could not be made. */
const aboutOf = ({ operation: { document, operation }, viewer }: Audience): About => ({
  operation: `subscription ${rootFieldsOf(document, operation)[0]?.name.value}`,
  operationName: operation.name && brief(operation.name.value),
  userId: viewer?.id,
});

const wait = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

interface GroupsOptions {
  readonly schema: ExecutionArgs['schema'];
  readonly domain: Domain;
  readonly hub: Hub;
  readonly meter: Meter;
  readonly tracer?: Tracer;
  readonly positions: Positions;
  readonly present: Present;
  readonly log: Log;
  /** A wrong declaration in the schema is worked around, and not an error in the payload. */
  readonly isLenient: boolean;
}
