import fc from 'fast-check';

/** Texts that have broken programs before. */
const classics = [
  ...[
    '',
    ' ',
    '\u0000',
    '\r\n',
    '\n\ndata: forged',
    '\u2028',
    '\ufeff',
    '\ud800',
    '\u202e',
    'é'.normalize('NFD'),
  ],
  ...[
    "'; drop table users; --",
    '$1',
    '"',
    '\\',
    '%s%n',

    '../../etc/passwd',
    '%00',
    '%',
    '{{7*7}}',
  ],
  ...['__proto__', 'constructor', 'toString', 'NaN', 'null', 'undefined', '-0', '1e309', '9'.repeat(400)],
  ...[
    '<script>alert(1)</script>',
    'a'.repeat(300),
    'a'.repeat(20_000),
    '👩‍👩‍👧‍👦'.repeat(50),
    '2026-02-30T25:61:61Z',
  ],
  ...['00000000-0000-0000-0000-000000000000', 'general', 'ada', 'Message', 'orders', 'OWNER', 'everyone'],
];

export const text = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...classics) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 60 }) },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 60 }) },
);

/** A value as JSON, with keys that mean something to JavaScript, and nested up to where it hurts. */
export const json: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 4, arbitrary: fc.jsonValue({ maxDepth: 4 }) },
  { weight: 1, arbitrary: fc.dictionary(text, fc.jsonValue({ maxDepth: 2 }), { maxKeys: 4 }) },
  { weight: 1, arbitrary: fc.integer({ min: 10, max: 3_000 }).map(nested) },
);

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level += 1) value = level % 2 ? { a: value } : [value];
  return value;
}

export const bytes = fc.uint8Array({ maxLength: 400 }).map((array) => Buffer.from(array));

/** Something valid with a few bytes changed, left out, doubled or cut off. */
export const damaged = (whole: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> =>
  fc
    .tuple(
      whole,
      fc.array(
        fc.record({
          at: fc.double({ min: 0, max: 1, noNaN: true }),
          how: fc.constantFrom('change', 'insert', 'remove', 'cut', 'double'),
          what: fc.uint8Array({ minLength: 1, maxLength: 4 }),
        }),
        { maxLength: 4 },
      ),
    )
    .map(([buffer, wounds]) =>
      wounds.reduce((sound, { at, how, what }) => {
        const place = Math.floor(at * sound.length);
        const [before, after] = [sound.subarray(0, place), sound.subarray(place)];
        if (how === 'cut') return before;
        if (how === 'double') return Buffer.concat([sound, after]);
        if (how === 'remove') return Buffer.concat([before, after.subarray(what.length)]);
        return Buffer.concat([before, what, how === 'insert' ? after : after.subarray(what.length)]);
      }, buffer),
    );
