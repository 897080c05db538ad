import {
  type DefinitionNode,
  type DirectiveNode,
  type DocumentNode,
  type FragmentDefinitionNode,
  Kind,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';
import { tooComplex } from './too-complex.ts';

/** How much of each one operation may have, with its fragments wherever they are spread. */
export interface StructureLimits {
  /** Fields and spreads. */
  readonly selections: number;
  /** Fields in fields; what is asked of the schema itself is not counted. */
  readonly depth: number;
  readonly aliases: number;
  readonly directives: number;
}

/** Fragments are compared with each other. */
export const mostDefinitions = 100;

const measures = ['depth', 'aliases', 'directives', 'selections'] as const;
type Size = Record<(typeof measures)[number], number>;

/**
 * Looks at a document before it is validated: validation compares selections in pairs. Each fragment is looked at once,
 * however often it is spread.
 * @throws OPERATION_TOO_COMPLEX
 */
export function demandModest({ definitions }: DocumentNode, limits: StructureLimits): void {
  if (definitions.length > mostDefinitions) {
    throw tooComplex('definitions', mostDefinitions, definitions.length);
  }
  const sizeOf = createSizes(definitions);
  for (const definition of definitions) {
    const size = sizeOf(definition);
    for (const measure of measures) {
      if (size[measure] > limits[measure]) throw tooComplex(measure, limits[measure], size[measure]);
    }
  }
}

function createSizes(definitions: readonly DefinitionNode[]) {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const known = new Map<DefinitionNode, Size>();

  function ofDefinition(definition: DefinitionNode): Size {
    const found = known.get(definition);
    if (found) return found;
    // A fragment within itself adds nothing: validation refuses it.
    known.set(definition, empty);
    const variables = 'variableDefinitions' in definition ? (definition.variableDefinitions ?? []) : [];
    const size = ofSet('selectionSet' in definition ? definition.selectionSet : undefined);
    for (const { directives } of [definition, ...variables]) size.directives += count(directives);
    known.set(definition, size);
    return size;
  }

  function ofSet(set: SelectionSetNode | undefined): Size {
    const sum = { ...empty };
    for (const selection of set?.selections ?? []) {
      const size = ofSelection(selection);
      sum.depth = Math.max(sum.depth, size.depth);
      sum.aliases += size.aliases;
      sum.directives += size.directives + count(selection.directives);
      sum.selections += size.selections + 1;
    }
    return sum;
  }

  function ofSelection(selection: SelectionNode): Size {
    if (selection.kind === Kind.INLINE_FRAGMENT) return ofSet(selection.selectionSet);
    if (selection.kind === Kind.FRAGMENT_SPREAD) {
      const fragment = fragments.get(selection.name.value);
      return fragment ? ofDefinition(fragment) : empty;
    }
    const { depth, aliases, ...rest } = ofSet(selection.selectionSet);
    return {
      ...rest,
      depth: 1 + (introspection.has(selection.name.value) ? 0 : depth),
      aliases: aliases + (selection.alias ? 1 : 0),
    };
  }

  return ofDefinition;
}

const empty: Size = { selections: 0, depth: 0, aliases: 0, directives: 0 };
/** A type of a type is deep by nature; graphql-js bounds what answers grow by. */
const introspection: ReadonlySet<string> = new Set(['__schema', '__type']);

const count = (directives: readonly DirectiveNode[] | undefined) => directives?.length ?? 0;
