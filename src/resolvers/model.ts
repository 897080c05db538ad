import type { Context } from '../context.ts';
import type { ModelArguments } from '../domain/model.ts';
import type { ModelChange } from '../domain/model-event.ts';
import type { NewWatch } from '../domain/watch.ts';

export const watchedModels = (_root: unknown, _args: unknown, { watches, viewer }: Context) =>
  watches.list(viewer);

export const watchModel = (_root: unknown, { input }: { input: NewWatch }, { watches, viewer }: Context) =>
  watches.watch(viewer, input);

export const unwatchModel = (_root: unknown, { name }: { name: string }, { watches, viewer }: Context) =>
  watches.unwatch(viewer, name);

export const modelUpdated = (
  _root: unknown,
  { after, ...asked }: ModelArguments & { after?: string | null },
  { models, viewer, resume }: Context,
) => models.follow(viewer, asked, [after, ...resume]);

export const toModelEvent = (change: ModelChange) => change;
