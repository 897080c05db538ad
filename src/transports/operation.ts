import { randomUUID } from 'node:crypto';
import {
  type ArgumentNode,
  type ASTNode,
  createSourceEventStream,
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  type FieldNode,
  type FormattedExecutionResult,
  type FragmentDefinitionNode,
  GraphQLError,
  getOperationAST,
  Kind,
  type OperationDefinitionNode,
  visit,
} from 'graphql';
import type { YogaServerInstance } from 'graphql-yoga';
import type { Refresh } from '../auth/refresh.ts';
import type { Context } from '../context.ts';
import { isAway } from '../db/database.ts';
import type { Viewer } from '../domain/viewer.ts';
import { type ErrorCode, errorCodes, Refusal, unavailable } from '../errors.ts';
import { costOf } from '../limits/cost.ts';
import type { Effort } from '../limits/effort.ts';
import type { createFindText } from '../limits/persisted.ts';
import type { Portion } from '../limits/portion.ts';
import type { About } from '../observability/about.ts';
import { createComplaint, type Log } from '../observability/log.ts';
import { Source } from '../realtime/source.ts';
import { aboutOf, type Observe } from './observation.ts';

/** What a client asks for, on whatever wire. */
export interface Parameters {
  readonly query?: unknown;
  readonly operationName?: unknown;
  readonly variables?: unknown;
  readonly extensions?: unknown;
  /** Of a persisted operation. */
  readonly documentId?: unknown;
}

/** Who asks, and what the wire says besides. */
export interface Caller {
  readonly viewer: Viewer | null;
  readonly resume: readonly string[];
  /** Of a connection that subscriptions live on. */
  readonly connectionId?: string;
  readonly wire: 'http' | 'websocket' | 'sse';
  /** The client's, of one socket. */
  readonly operationId?: string;
  /** The header of W3C Trace Context. */
  readonly traceparent?: string | undefined;
  /** Left out where there is no connection that keeps its token. */
  readonly refresh?: Refresh;
  /** Of who asks, where what is asked is bounded. */
  readonly effort?: Effort;
  /** Of what is answered once; each event of a subscription has its own. */
  readonly portion?: Portion;
}

/** An operation that may be run: parsed and valid. */
export interface Prepared {
  readonly document: DocumentNode;
  readonly operation: OperationDefinitionNode;
  readonly variables: Record<string, unknown> | undefined;
  /** Identical for those whose payloads are identical, apart from the viewer. */
  readonly shape: string;
  /** The name of the root field of a subscription. */
  readonly field: string;
  /** In points; of a subscription that of one event. */
  readonly cost: number;
  /** Makes the context, reading what has to be read before everything else. */
  args(portion?: Portion): Promise<ExecutionArgs & { contextValue: Context }>;
}

export type Yoga = YogaServerInstance<Caller, Context>;

export type Operations = ReturnType<typeof createOperations>;

/**
 * The one path of an operation: parse, validate, limits, authorise, run. The first three are Yoga's plugins, so
 * that what holds over HTTP holds on every wire. Nothing here throws: what goes wrong is an answer.
 */
export function createOperations(parts: OperationsParts) {
  const { yoga, present, observe, findText, hideSuggestions } = parts;
  return {
    /** Synchronous, so that a socket's operations keep their order. */
    prepare(parameters: Parameters, caller: Caller): Prepared | GraphQLError[] {
      try {
        return prepare(parameters, caller);
      } catch (error) {
        return [present(error, aboutOf(caller))];
      }
    },

    async execute(prepared: Prepared, caller: Caller): Promise<ExecutionResult> {
      try {
        const { execute } = yoga.getEnveloped({ ...caller });
        const result: ExecutionResult = await execute(await prepared.args(caller.portion));
        return result.errors ? { ...result, errors: result.errors.map((error) => present(error)) } : result;
      } catch (error) {
        return { errors: [present(error, aboutOf(caller))] };
      }
    },

    /** Runs the field's `subscribe`, which authorises. */
    async subscribe(prepared: Prepared): Promise<Source | ExecutionResult> {
      try {
        const args = await prepared.args();
        const stream = await observe(args, () => createSourceEventStream(args));
        if (stream instanceof Source) return stream;
        if (Symbol.asyncIterator in stream) throw new Error(`${prepared.field} is not a source.`);
        return { errors: (stream.errors ?? []).map((error) => present(error)) };
      } catch (error) {
        return { errors: [present(error)] };
      }
    },
  };

  function prepare(parameters: Parameters, caller: Caller): Prepared | GraphQLError[] {
    const { query, operationName, variables, extensions } = demandParameters({
      ...parameters,
      query: findText(parameters),
    });
    const resume = [...caller.resume, ...resumeOf(extensions)];
    const params = { query, operationName, variables, extensions };
    const { parse, validate, contextFactory, schema } = yoga.getEnveloped({
      ...caller,
      resume,
      params,
    } as never);
    const document: DocumentNode = parse(query);
    const errors: readonly GraphQLError[] = validate(schema, document);
    if (errors.length > 0) return errors.map((error) => present(error, aboutOf(caller)));
    const operation = getOperationAST(document, operationName);
    if (!operation) throw new Refusal('BAD_USER_INPUT', 'Say by `operationName` which operation is meant.');
    return {
      document,
      operation,
      variables,
      get shape() {
        return JSON.stringify([operationName, withoutAfter(query, { document, operation, variables })]);
      },
      get field() {
        return rootFieldsOf(document, operation)[0]?.name.value ?? '';
      },
      get cost() {
        return costOf(schema, { document, operation, variables });
      },
      args: async (portion) => ({
        schema,
        document,
        operationName,
        variableValues: variables,
        hideSuggestions,
        contextValue: (await contextFactory(portion && { portion })) as unknown as Context,
      }),
    };
  }
}

interface OperationsParts {
  readonly yoga: Yoga;
  readonly present: Present;
  readonly observe: Observe;
  readonly findText: ReturnType<typeof createFindText>;
  readonly hideSuggestions: boolean;
}

/** Makes of anything that went wrong what a client may see; the log is told of what it was about. */
export type Present = (error: unknown, about?: About) => GraphQLError;

/** The one place where errors get their code. What nobody expected is logged and leaves masked. */
export function createPresent({ log, refused }: { log: Log; refused: (code: string) => void }): Present {
  // What has been presented once stays as it is.
  const presented = new WeakSet<GraphQLError>();
  const away = createComplaint(log, 'the database is away');
  return (error, about = {}) => {
    if (error instanceof GraphQLError && presented.has(error)) return error;
    const shown = show(error);
    presented.add(shown);
    const { code, errorId } = shown.extensions;
    refused(String(code));
    const cause = causeOf(error);
    if (errorId) log.error({ err: cause, errorId, path: shown.path, ...about }, 'unexpected error');
    else if (isAway(cause)) away(cause);
    else log.debug({ code, reason: shown.message, ...about }, 'refused');
    return shown;
  };
}

/** As it goes over the wire. */
export function toJson({ errors, ...result }: ExecutionResult): FormattedExecutionResult {
  return errors ? { errors: errors.map(withoutHttp), ...result } : result;
}

function withoutHttp(error: GraphQLError) {
  const { extensions, ...rest } = error.toJSON();
  const { http: _http, ...shown } = extensions ?? {};
  return { ...rest, extensions: shown };
}

function show(error: unknown): GraphQLError {
  const cause = causeOf(error);
  if (cause instanceof Refusal) return coded(error, cause.message, refusalExtensions(cause));
  if (cause instanceof GraphQLError) return codedGraphQLError(error as GraphQLError, cause);
  // Nested so deep that reading it overflows the stack.
  if (cause instanceof RangeError && cause.message.includes('call stack')) {
    return coded(error, new Refusal('OPERATION_TOO_COMPLEX').message, { code: 'OPERATION_TOO_COMPLEX' });
  }
  if (isAway(cause)) return coded(error, unavailable().message, refusalExtensions(unavailable()));
  const { message, code } = new Refusal('INTERNAL_SERVER_ERROR');
  return coded(error, message, { code, errorId: randomUUID() });
}

function causeOf(error: unknown): unknown {
  return error instanceof GraphQLError && error.originalError ? causeOf(error.originalError) : error;
}

function refusalExtensions({ code, retryAfterMs, details }: Refusal): Record<string, unknown> {
  return retryAfterMs === undefined ? { code, ...details } : { code, retryAfterMs, ...details };
}

/** GraphQL's own refusals: of the document with their code already, of values without one. */
function codedGraphQLError(error: GraphQLError, cause: GraphQLError): GraphQLError {
  const given = String(error.extensions.code ?? cause.extensions.code);
  const code = Object.hasOwn(errorCodes, given) ? given : (codesOfYoga[given] ?? 'BAD_USER_INPUT');
  const { originalError, ...extensions } = error.extensions;
  // Yoga's note of what went wrong in a body is not for clients; without it the status has to hold for every type.
  if (originalError !== undefined) extensions.http = { status: 400 };
  return coded(error, error.message, { ...extensions, code });
}

/** What Yoga refuses before there is an operation, in our words. */
const codesOfYoga: Readonly<Record<string, ErrorCode>> = { REQUEST_ENTITY_TOO_LARGE: 'LIMIT_EXCEEDED' };

function coded(error: unknown, message: string, extensions: Record<string, unknown>): GraphQLError {
  const { nodes, source, positions, path } =
    error instanceof GraphQLError ? error : ({} as Partial<GraphQLError>);
  return new GraphQLError(shortened(message), { nodes, source, positions, path, extensions });
}

/** A message may repeat what it was given, and one answer has many. */
const shortened = (message: string) =>
  message.length > mostMessageCharacters ? `${message.slice(0, mostMessageCharacters)}…` : message;

const mostMessageCharacters = 1_000;

function demandParameters({ query, operationName, variables, extensions }: Parameters) {
  const isObject = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value);
  if (typeof query !== 'string') throw new Refusal('BAD_USER_INPUT', '`query` is a string.');
  if (operationName != null && typeof operationName !== 'string') {
    throw new Refusal('BAD_USER_INPUT', '`operationName` is a string.');
  }
  if (variables != null && !isObject(variables))
    throw new Refusal('BAD_USER_INPUT', '`variables` is an object.');
  if (extensions != null && !isObject(extensions))
    throw new Refusal('BAD_USER_INPUT', '`extensions` is an object.');
  return {
    query,
    operationName: operationName ?? undefined,
    variables: (variables ?? undefined) as Record<string, unknown> | undefined,
    extensions: (extensions ?? {}) as Record<string, unknown>,
  };
}

function resumeOf({ after }: Record<string, unknown>): string[] {
  if (after == null) return [];
  if (typeof after !== 'string') throw new Refusal('BAD_USER_INPUT', '`extensions.after` is a position.');
  return [after];
}

/** A request less what only says where to continue: the `after` of its root field. */
function withoutAfter(
  query: string,
  { document, operation, variables }: Pick<Prepared, 'document' | 'operation' | 'variables'>,
) {
  const afters = rootFieldsOf(document, operation)
    .flatMap((field) => field.arguments ?? [])
    .filter(({ name }) => name.value === 'after');
  const used = variablesOf(document, new Set(afters));
  return [around(query, afters), Object.entries(variables ?? {}).filter(([name]) => used.has(name))];
}

/** The fields of the operation itself, also those that stand in a fragment. */
export function rootFieldsOf({ definitions }: DocumentNode, operation: OperationDefinitionNode): FieldNode[] {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const fields: FieldNode[] = [];
  // It grows while it is walked, and has each fragment once however often that is spread.
  const sets = new Set([operation.selectionSet]);
  for (const { selections } of sets) {
    for (const selection of selections) {
      if (selection.kind === Kind.FIELD) fields.push(selection);
      else if (selection.kind === Kind.INLINE_FRAGMENT) sets.add(selection.selectionSet);
      // A valid document defines what it spreads.
      else sets.add(fragments.get(selection.name.value)!.selectionSet);
    }
  }
  return fields;
}

/** The names of the variables that a document uses, in its fragments too, except in these arguments. */
function variablesOf(document: DocumentNode, except: ReadonlySet<ArgumentNode>): ReadonlySet<string> {
  const names = new Set<string>();
  visit(document, {
    VariableDefinition: () => false,
    Argument: (argument) => (except.has(argument) ? false : undefined),
    Variable: ({ name }) => void names.add(name.value),
  });
  return names;
}

/** The pieces of a text between some of its nodes. */
function around(text: string, nodes: readonly ASTNode[]): string[] {
  const cuts = nodes.map(({ loc }) => loc!).sort((one, other) => one.start - other.start);
  return [0, ...cuts.map(({ end }) => end)].map((from, index) => text.slice(from, cuts[index]?.start));
}
