/**
 * One event of the type `text/event-stream`, without an `id`. What would end a line cannot be in JSON; in a type
 * it is replaced, so that nobody who chooses a type can write fields or events of their own.
 */
export function eventBlock(type: string, data: unknown): string {
  return `event: ${inOneLine(type)}\ndata: ${JSON.stringify(data) ?? 'null'}\n\n`;
}

/** The same with the id that a client comes back with; null where it could not. */
export function withId(id: string | null, block: string): string {
  return id === null ? block : `id: ${inOneLine(id)}\n${block}`;
}

/** Lines end at CR, LF or both; an id with NUL is ignored by clients. */
const inOneLine = (text: string) => text.replace(/[\r\n\0]/g, '\ufffd');
