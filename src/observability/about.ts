/** Whom or what a line of the log is about, as far as that is known. */
export interface About {
  readonly connectionId?: string | undefined;
  readonly userId?: string | undefined;
  /** The client's own, of one socket. */
  readonly operationId?: string | undefined;
  /** `mutation sendMessage`: its kind and its first field. */
  readonly operation?: string | undefined;
  /** Of the document, by its author. */
  readonly operationName?: string | undefined;
  /** The W3C id of the trace that it is a part of. */
  readonly traceId?: string | undefined;
}

const longest = 100;

/** What a client has chosen, at a length that nobody minds. */
export function brief(text: string): string {
  return text.length > longest ? `${text.slice(0, longest)}…` : text;
}
