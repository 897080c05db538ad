/**
 * Values of columns, as they are compared: two that the database holds for equal have one text here. What is told of
 * them is untouched.
 */

type Read = (value: unknown) => string | number | boolean | null;

const integer: Read = (value) => (typeof value === 'number' && Number.isSafeInteger(value) ? value : null);
const float: Read = (value) =>
  typeof value === 'number' && Number.isFinite(value) ? value : specialFloat(value);
const text: Read = (value) => (typeof value === 'string' ? value : null);
const matching =
  (pattern: RegExp): Read =>
  (value) =>
    typeof value === 'string' && pattern.test(value) ? value : null;

const reading: Readonly<Record<string, Read>> = {
  boolean: (value) => (typeof value === 'boolean' ? value : null),
  smallint: integer,
  integer,
  bigint: whole,
  numeric: decimal,
  real: float,
  'double precision': float,
  text,
  'character varying': text,
  name: text,
  enum: text,
  character: (value) => (typeof value === 'string' ? withoutEnd(value, ' ') : null),
  citext: (value) => (typeof value === 'string' ? value.toLowerCase() : null),
  uuid: (value) => (typeof value === 'string' && uuidPattern.test(value) ? value.toLowerCase() : null),
  date: matching(/^-?\d{4,}-\d\d-\d\d( BC)?$|^-?infinity$/),
  'time without time zone': (value) => clock(value),
  'timestamp without time zone': (value) => localTime(value),
  'timestamp with time zone': (value) => instant(value),
};

const uuidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const decimalPattern = /^([+-]?)(\d+)(?:\.(\d*))?$/;

export const isComparable = (type: string): boolean => Object.hasOwn(reading, type);

const verbatim = new Set([
  'smallint',
  'integer',
  'bigint',
  'text',
  'character varying',
  'name',
  'enum',
  'uuid',
]);

/** Whether values are equal only where the database writes them alike. */
export const isVerbatim = (type: string): boolean => verbatim.has(type);

/** One text for all values that are equal; null for what is not of the type. A missing value is equal to itself. */
export function canonical(type: string, value: unknown): string | null {
  if (value === null) return 'null';
  const read = reading[type]!(value);
  // A marker in the place of a large value is equal to nothing that can be asked for.
  return read === null ? null : JSON.stringify(read);
}

/** What JavaScript's numbers cannot hold is text. */
function decimal(value: unknown): string | null {
  if (typeof value !== 'string' && typeof value !== 'number') return null;
  // What is already another number than was written is not asked for.
  if (typeof value === 'number' && (!Number.isFinite(value) || Math.abs(value) > Number.MAX_SAFE_INTEGER))
    return null;
  const given = String(value);
  if (given === 'NaN' || given === 'Infinity' || given === '-Infinity') return given;
  const [, sign, written, fraction = ''] = decimalPattern.exec(given) ?? [];
  if (written === undefined) return null;
  const [whole, rest] = [written.replace(/^0+(?=\d)/, ''), withoutEnd(fraction, '0')];
  const digits = rest ? `${whole}.${rest}` : whole;
  return sign === '-' && /[1-9]/.test(digits) ? `-${digits}` : digits;
}

function whole(value: unknown): string | null {
  const read = decimal(value);
  return read !== null && /^-?\d+$/.test(read) ? read : null;
}

/** A pattern for it would take the square of the text's length. */
function withoutEnd(text: string, character: string): string {
  let end = text.length;
  while (end > 0 && text[end - 1] === character) end -= 1;
  return text.slice(0, end);
}

function specialFloat(value: unknown): string | null {
  return value === 'NaN' || value === 'Infinity' || value === '-Infinity' ? value : null;
}

const clockPattern = /^(\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?$/;
const timePattern = /^(\d{4,6}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)$/;
const instantPattern =
  /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?(Z|[+-]\d\d(?::?\d\d)?)$/;

function clock(value: unknown): string | null {
  const [, minutes, seconds = '00', fraction = ''] =
    (typeof value === 'string' && clockPattern.exec(value)) || [];
  return minutes === undefined ? null : `${minutes}:${seconds}.${fraction.padEnd(6, '0')}`;
}

function localTime(value: unknown): string | null {
  if (value === 'infinity' || value === '-infinity') return value;
  const [, date, time] = (typeof value === 'string' && timePattern.exec(value)) || [];
  const read = clock(time);
  return date === undefined || read === null ? null : `${date}T${read}`;
}

/** To the microsecond, in UTC. */
function instant(value: unknown): string | null {
  if (value === 'infinity' || value === '-infinity') return value;
  const [, date, minutes, seconds = '00', fraction = '', offset] =
    (typeof value === 'string' && instantPattern.exec(value)) || [];
  if (date === undefined) return null;
  const zone = offset === 'Z' ? 'Z' : `${offset!.slice(0, 3)}:${offset!.slice(3).replace(':', '') || '00'}`;
  const whole = new Date(`${date}T${minutes}:${seconds}${zone}`);
  return Number.isNaN(whole.getTime())
    ? null
    : `${whole.toISOString().slice(0, 19)}.${fraction.padEnd(6, '0')}`;
}
