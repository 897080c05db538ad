const url = process.env.REALTIME_URL ?? 'http://localhost:4000';
const token = process.env.REALTIME_TOKEN;
/** What is worth another attempt: nobody answers, or the answer is to come back later. */
const passing = new Set(['UNREACHABLE', 'UNAVAILABLE', 'RATE_LIMITED']);

/**
 * Asks for one operation, and asks again while the server is away. It may have been done although no answer came, so
 * what is handed in has a key by which a second time is known.
 *
 * @param {string} query
 * @param {Record<string, unknown>} variables
 * @returns {Promise<any>} the data
 * @throws {Error} it was refused, or there is no answer after six attempts; `code` says why
 */
export async function ask(query, variables) {
  for (let attempt = 1; ; attempt += 1) {
    const { data, errors } = await post(query, variables);
    if (!errors) return data;
    const { message, extensions = {} } = errors[0];
    if (!passing.has(extensions.code) || attempt === 6) {
      throw Object.assign(new Error(message), { code: extensions.code });
    }
    const waitMs = extensions.retryAfterMs ?? 250 * 2 ** attempt;
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
}

/**
 * @param {string} query
 * @param {Record<string, unknown>} variables
 * @returns {Promise<any>} what GraphQL answers, `{ data, errors }`
 */
async function post(query, variables) {
  try {
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ query, variables }),
      signal: AbortSignal.timeout(10_000),
    });
    return await response.json();
  } catch (error) {
    return { errors: [{ message: `${error}`, extensions: { code: 'UNREACHABLE' } }] };
  }
}
