import { PositionDocument } from '../documents/graphql.ts';
import type { RealtimeClient } from '../types.ts';
import { follow, type Stream } from './follow.ts';
import { type ListChange, type Rows, withChange } from './list-state.ts';
import { asError } from './patience.ts';
import type { Feed } from './shelf.ts';

export interface ListSnapshot<Row> {
  /** By their record id, in the order in which they were read or came. */
  readonly rows: Rows<Row>;
  readonly loading: boolean;
  readonly error: Error | null;
}

export const noListYet: ListSnapshot<never> = { rows: new Map<string, never>(), loading: true, error: null };

/** What a list is made of. */
export interface ListPlan<Row> {
  /** Reads the rows by their record ids. Asked behind a position, so they may be newer than that. */
  load(signal: AbortSignal): Promise<Rows<Row>>;
  /** The changes of the rows. */
  changes(told: (change: ListChange<Row>) => void): Stream;
}

/** Rows that are always what their query would answer. */
export class ListFeed<Row> implements Feed<ListSnapshot<Row>> {
  readonly isBusy = false;
  readonly #client: RealtimeClient;
  readonly #plan: ListPlan<Row>;
  readonly #changed: () => void;
  #snapshot: ListSnapshot<Row> = noListYet;
  #stop: (() => void) | null = null;

  constructor(client: RealtimeClient, plan: ListPlan<Row>, changed: () => void) {
    this.#client = client;
    this.#plan = plan;
    this.#changed = changed;
  }

  get snapshot(): ListSnapshot<Row> {
    return this.#snapshot;
  }

  open(): void {
    this.#stop = follow<Rows<Row>>(this.#client, {
      load: async (signal) => {
        const { position } = await this.#client.execute({ document: PositionDocument }, { signal });
        return { position, state: await this.#plan.load(signal) };
      },
      loaded: (rows) => this.#become({ rows, loading: false, error: null }),
      streams: [
        this.#plan.changes((change) => {
          const rows = withChange(this.#snapshot.rows, change);
          if (rows !== this.#snapshot.rows) this.#become({ ...this.#snapshot, rows });
        }),
      ],
      troubled: (error) => this.#become({ ...this.#snapshot, error: asError(error) }),
      failed: (error) => this.#become({ ...this.#snapshot, loading: false, error: asError(error) }),
    });
  }

  close(): void {
    this.#stop?.();
    this.#stop = null;
  }

  /** Reads everything anew, also after it was refused for good. */
  reload(): void {
    if (!this.#stop) return;
    this.close();
    this.#become({ ...this.#snapshot, loading: true, error: null });
    this.open();
  }

  #become(snapshot: ListSnapshot<Row>): void {
    this.#snapshot = snapshot;
    this.#changed();
  }
}
