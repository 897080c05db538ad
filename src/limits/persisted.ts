import { badInput, Refusal } from '../errors.ts';

/** Operations that are known before anybody asks. */
export interface PersistedOperations {
  /** By their ids, which are usually hashes. */
  readonly documents: ReadonlyMap<string, string>;
  /** Nothing else runs. */
  readonly isOnly: boolean;
}

/** The ways in which clients name an operation, in place of its text or beside it. */
interface Asked {
  readonly query?: unknown;
  /** As in the persisted documents of GraphQL over HTTP. */
  readonly documentId?: unknown;
  /** `persistedQuery.sha256Hash`, as the links of Apollo and urql send it. */
  readonly extensions?: unknown;
}

/**
 * Finds the text of an operation. An id that is known counts; where none is, the text does.
 * @throws NOT_FOUND for an id alone that is not known, FORBIDDEN for a text where only persisted operations run
 */
export function createFindText(persisted: PersistedOperations | null): (asked: Asked) => unknown {
  const documents = new Map([...(persisted?.documents ?? [])].map(([id, text]) => [bare(id), text]));
  const texts = new Set(documents.values());
  return (asked) => {
    const { query } = asked;
    const id = idOf(asked);
    const found = id === null ? undefined : documents.get(id);
    if (found !== undefined) return found;
    const hasText = typeof query === 'string' && query !== '';
    if (id !== null && !hasText) throw persisted ? notFound() : notSupported();
    if (persisted?.isOnly && hasText && !texts.has(query)) {
      throw new Refusal('FORBIDDEN', 'Only persisted operations run here.');
    }
    return query;
  };
}

function idOf({ documentId, extensions }: Asked): string | null {
  const { persistedQuery } = (extensions ?? {}) as { persistedQuery?: unknown };
  const id = documentId ?? ((persistedQuery ?? {}) as { sha256Hash?: unknown }).sha256Hash ?? null;
  if (id !== null && typeof id !== 'string') throw badInput('The id of a persisted operation is a string.');
  return id === null ? null : bare(id);
}

/** Codegen and GraphQL over HTTP say which hash it is, Apollo and urql do not. */
const bare = (id: string) => id.replace(/^sha256:/, '');

/** Clients know these two by their words, and send the text then. */
const notFound = () => new Refusal('NOT_FOUND', 'PersistedQueryNotFound');
const notSupported = () => badInput('PersistedQueryNotSupported');
