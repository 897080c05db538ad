const answerMs = 1_000;

/** The answer, or another in its place where it comes too late or not at all. */
export function inTime<Answer>(asked: Promise<Answer>, otherwise: Answer): Promise<Answer> {
  const late = new Promise<Answer>((resolve) => {
    setTimeout(() => resolve(otherwise), answerMs).unref();
  });
  return Promise.race([asked.catch(() => otherwise), late]);
}
