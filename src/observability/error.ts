/** So many causes of causes are told. */
const deepest = 5;
const longestMessage = 2_000;

/** Where drizzle begins to say what a statement was given: what people have written, and what they keep secret. */
const parameters = /\s*\nparams: .*$/s;

/** What drivers say of a failure beside its message: names and numbers, no values. */
const told = [
  ...['code', 'severity', 'schema_name', 'table_name', 'column_name', 'constraint_name', 'routine'],
  ...['errno', 'syscall', 'address', 'port'],
];

export interface DescribedError {
  readonly type: string;
  readonly message: string;
  readonly stack?: string | undefined;
  readonly cause?: DescribedError | undefined;
  readonly [detail: string]: unknown;
}

/** An error as the log has it: with its causes, and without the values that it was about. */
export function describeError(error: unknown, depth = 0): DescribedError {
  if (!(error instanceof Error)) return { type: typeof error, message: short(textOf(error)) };
  const { name, cause, stack = '' } = error;
  const said = textOf(error.message);
  const message = short(said.replace(parameters, ''));
  const type = error.constructor.name.length > 1 ? error.constructor.name : name;
  // A message may look like frames: they begin behind it.
  const from = stack.indexOf(said);
  const frames = stack
    .slice(from < 0 ? 0 : from + said.length)
    .split('\n')
    .filter((line) => /^\s+at /.test(line));
  return {
    type,
    message,
    stack: [`${type}: ${JSON.stringify(message).slice(1, -1)}`, ...frames].join('\n'),
    ...Object.fromEntries(told.flatMap((key) => (key in error ? [[key, detail(error, key)]] : []))),
    ...(cause === undefined || depth === deepest ? {} : { cause: describeError(cause, depth + 1) }),
    ...(error instanceof AggregateError
      ? { errors: error.errors.slice(0, deepest).map(textOf).map(short) }
      : {}),
  };
}

function detail(error: Error, key: string): unknown {
  const value = (error as unknown as Record<string, unknown>)[key];
  return typeof value === 'number' ? value : short(String(value));
}

/** Whatever has been thrown: not all of it has a text. */
function textOf(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return Object.prototype.toString.call(thrown);
  }
}

const short = (text: string) => (text.length > longestMessage ? `${text.slice(0, longestMessage)}…` : text);
