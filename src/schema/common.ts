import {
  type DocumentNode,
  type GraphQLField,
  type GraphQLSchema,
  isAbstractType,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql';

/**
 * Declared by a type or a field: whoever may see it is shown the same, so that one execution does for many.
 * What is not declared is executed for each viewer. A field's word goes before its type's.
 */
export const common = { extensions: { isCommon: true } };

/** Whether everything that a document selects is common. */
export function isCommon(schema: GraphQLSchema, document: DocumentNode): boolean {
  const info = new TypeInfo(schema);
  let answer = true;
  visit(
    document,
    visitWithTypeInfo(info, {
      Field() {
        const [parent, field] = [info.getParentType(), info.getFieldDef()];
        if (!parent || !field) answer = false;
        else if (field.name.startsWith('__')) return;
        else if (isAbstractType(parent)) {
          for (const type of schema.getPossibleTypes(parent)) {
            answer &&= isDeclared(type, type.getFields()[field.name]!);
          }
        } else answer &&= isDeclared(parent, field);
      },
    }),
  );
  return answer;
}

function isDeclared(
  type: { extensions: Record<string, unknown> },
  field: GraphQLField<unknown, unknown>,
): boolean {
  return (field.extensions.isCommon ?? type.extensions.isCommon) === true;
}
