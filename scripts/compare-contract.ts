import { readFileSync } from 'node:fs';
import {
  buildSchema,
  findBreakingChanges,
  type GraphQLArgument,
  type GraphQLSchema,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  isSpecifiedScalarType,
} from 'graphql';
import { schema } from '../src/schema/index.ts';

/**
 * Compares the built schema with a promised one: what exists has to be as promised, to the letter; what is
 * missing is listed as still to come. Ends with 1 on any difference.
 */
const promised = describe(buildSchema(readFileSync(process.argv[2]!, 'utf8')));
const built = describe(schema);

const different = [...promised].filter(([name, type]) => built.has(name) && built.get(name) !== type);
const toCome = [...promised.keys()].filter((name) => !built.has(name));
// Whoever is already there may not be stricter than promised either: arguments that nobody was told of.
const stricter = findBreakingChanges(buildSchema(readFileSync(process.argv[2]!, 'utf8')), schema).filter(
  ({ type }) => !/REMOVED|CHANGED_KIND/.test(type),
);

for (const [name, type] of different) console.error(`${name}: is ${built.get(name)}, promised is ${type}`);
for (const { type, description } of stricter) console.error(`${type}: ${description}`);
console.log(`${promised.size - toCome.length} of ${promised.size} promised parts are there; still to come:`);
console.log(toCome.filter((name) => built.has(parent(name)) || !name.includes('.')).join(', '));
if (different.length + stricter.length > 0) process.exit(1);

/** Every type, field, argument and enum value, with its type as printed. */
function describe(described: GraphQLSchema): Map<string, string> {
  const parts = new Map<string, string>();
  for (const type of Object.values(described.getTypeMap())) {
    if (type.name.startsWith('__') || isSpecifiedScalarType(type)) continue;
    parts.set(type.name, type.constructor.name);
    if (isEnumType(type)) for (const { name } of type.getValues()) parts.set(`${type.name}.${name}`, 'value');
    if (isInputObjectType(type)) {
      for (const field of Object.values(type.getFields()))
        parts.set(`${type.name}.${field.name}`, printed(field));
    }
    if (!isObjectType(type) && !isInterfaceType(type)) continue;
    for (const implemented of type.getInterfaces())
      parts.set(`${type.name} implements ${implemented.name}`, 'yes');
    for (const field of Object.values(type.getFields())) {
      parts.set(`${type.name}.${field.name}`, String(field.type));
      for (const argument of field.args)
        parts.set(`${type.name}.${field.name}.${argument.name}`, printed(argument));
    }
  }
  return parts;
}

function printed({ type, defaultValue }: Pick<GraphQLArgument, 'type' | 'defaultValue'>): string {
  return defaultValue === undefined ? String(type) : `${type} = ${JSON.stringify(defaultValue)}`;
}

function parent(name: string): string {
  return name.split('.').slice(0, -1).join('.');
}
