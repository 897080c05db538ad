import { getOperationAST, parse, validate } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { costOf } from '../limits/cost.ts';
import { effortless } from '../limits/effort.ts';
import { demandModest, type StructureLimits } from '../limits/structure.ts';
import { demandReadable } from '../limits/text.ts';
import { tooComplex } from '../limits/too-complex.ts';
import type { Caller, Parameters } from './operation.ts';

export interface OperationLimits extends StructureLimits {
  readonly tokens: number;
  /** In points: see `limits/cost.ts`. */
  readonly cost: number;
}

/** Each mistake looks for its line from the beginning of the text. */
const mostErrors = 10;

/**
 * What an operation may be made of is looked at from the cheap to the dear: the text before it is parsed, the tree
 * before it is validated, the cost when it is known to be valid. The cost depends on variables and is asked each time;
 * what parses and validates may be remembered.
 */
export function useOperationLimits(
  limits: OperationLimits,
  { hideSuggestions }: { hideSuggestions: boolean },
): Plugin<Pick<Caller, 'effort'> & { params?: Parameters }> {
  return {
    onParse: ({ context: { effort = effortless }, setParseFn }) => {
      setParseFn((source, options) =>
        effort.run(() => {
          demandReadable(typeof source === 'string' ? source : source.body, limits);
          const document = parse(source, options);
          demandModest(document, limits);
          return document;
        }),
      );
    },
    onValidate: ({ context, params: { schema, documentAST: document }, setValidationFn }) => {
      const { effort = effortless } = context;
      setValidationFn((schema, document, rules) =>
        effort.run(() => validate(schema, document, rules, { maxErrors: mostErrors, hideSuggestions })),
      );
      return ({ valid }) => {
        const { operationName, variables } = (context.params ?? {}) as AskedParameters;
        const operation = valid && getOperationAST(document, operationName);
        if (!operation) return;
        const cost = costOf(schema, { document, operation, variables });
        // Thrown, and not added to the result, which is remembered for all variables.
        if (cost > limits.cost) throw tooComplex('cost', limits.cost, cost);
      };
    },
  };
}

interface AskedParameters {
  readonly operationName?: string;
  readonly variables?: Record<string, unknown>;
}
