import { type DocumentNode, type ExecutionResult, execute, NoSchemaIntrospectionCustomRule } from 'graphql';
import { createGraphQLError, createYoga, type Plugin, type YogaServerOptions } from 'graphql-yoga';
import { type Context, createContext, type Domain } from '../context.ts';
import { BoundedCache } from '../lib/bounded-cache.ts';
import type { createFindText } from '../limits/persisted.ts';
import type { Hub } from '../realtime/hub.ts';
import type { Positions } from '../realtime/position.ts';
import { schema } from '../schema/index.ts';
import type { Observe } from './observation.ts';
import type { Caller, Parameters, Present, Yoga } from './operation.ts';
import { type OperationLimits, useOperationLimits } from './use-operation-limits.ts';
import { usePersistedOperations } from './use-persisted-operations.ts';

/** Of documents that are remembered. A tree is up to a hundred times as large as its text. */
const remembered = { most: 1_048_576, longest: 65_536 };

interface YogaParts {
  readonly domain: Domain;
  readonly hub: Hub;
  readonly positions: Positions;
  readonly present: Present;
  readonly observe: Observe;
  readonly isProduction: boolean;
  readonly hideSuggestions: boolean;
  readonly limits: OperationLimits;
  readonly findText: ReturnType<typeof createFindText>;
}

/** Queries and mutations over HTTP, and the plugins that every wire shares. */
export function createGraphQL(parts: YogaParts): Yoga {
  const { domain, hub, positions, present, observe, isProduction, limits, findText, hideSuggestions } = parts;
  const options: YogaServerOptions<Caller, Context> = {
    schema,
    plugins: [
      usePersistedOperations(findText),
      useErrorCodes(),
      useCountedRefusals(present),
      useOperationLimits(limits, { hideSuggestions }),
      useGraphqlJs(observe, { hideSuggestions }),
      useNoSubscriptionsOverPlainHttp(),
      ...(isProduction ? [useIntrospectionForAdmins()] : []),
    ],
    context: async (caller: Caller & { params?: Parameters }) => {
      const { viewer, resume, connectionId, refresh, portion, params } = caller;
      // The head is read before everything else in the query, and only where it is asked for.
      const asksForPosition = typeof params?.query === 'string' && /\bposition\b/.test(params.query);
      const position = asksForPosition ? positions.seal((await hub.now()).head) : null;
      return createContext(domain, viewer, { position, resume, connectionId, refresh, portion });
    },
    parserAndValidationCache: {
      documentCache: new BoundedCache<DocumentNode>(remembered),
      errorCache: new BoundedCache<Error>(remembered),
    },
    maskedErrors: { maskError: (error) => present(error) },
    // What is read from the network is read, and bounded, before.
    maxRequestBodySize: false,
    // Cross-origin rules are the HTTP server's, one place for all its paths.
    cors: false,
    landingPage: false,
    multipart: false,
    logging: false,
    healthCheckEndpoint: '/yoga-is-not-asked',
    graphiql: false,
  };
  return createYoga<Caller, Context>(options) as Yoga;
}

/** What graphql-js refuses gets its code where it is known which step refused. */
function useErrorCodes(): Plugin {
  return {
    onParse:
      () =>
      ({ result }) => {
        if (result instanceof Error && 'extensions' in result) {
          Object.assign(result.extensions as object, { code: 'GRAPHQL_PARSE_FAILED' });
        }
      },
    onValidate:
      () =>
      ({ result }) => {
        for (const error of result) error.extensions.code ??= 'GRAPHQL_VALIDATION_FAILED';
      },
  };
}

/** What is refused before it is executed is counted and logged as what fails in it is. */
function useCountedRefusals(present: Present): Plugin {
  return {
    onResultProcess: ({ result }) => {
      for (const { errors } of [result].flat() as ExecutionResult[])
        for (const error of errors ?? []) present(error);
    },
  };
}

/** In production the schema is shown to role admin alone. */
function useIntrospectionForAdmins(): Plugin<Caller> {
  return {
    onValidate: ({ context, addValidationRule }) => {
      if (!context.viewer?.roles.includes('admin')) addValidationRule(NoSchemaIntrospectionCustomRule);
    },
  };
}

/** graphql-js itself executes, as it does for the events of subscriptions. */
function useGraphqlJs(observe: Observe, { hideSuggestions }: { hideSuggestions: boolean }): Plugin {
  return {
    onExecute: ({ setExecuteFn }) =>
      setExecuteFn((args) => observe<ExecutionResult>(args, () => execute({ ...args, hideSuggestions }))),
  };
}

/** Subscriptions go over WebSocket and event streams, where they can be resumed. */
function useNoSubscriptionsOverPlainHttp(): Plugin {
  return {
    onSubscribe: ({ setResultAndStopExecution }) => {
      setResultAndStopExecution({ errors: [notAcceptable()] });
    },
  };
}

function notAcceptable() {
  return createGraphQLError(
    'Subscriptions go over WebSocket, or over HTTP with `Accept: text/event-stream`.',
    {
      extensions: { code: 'BAD_USER_INPUT', http: { status: 406 } },
    },
  );
}
