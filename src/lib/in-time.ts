const usualMs = 1_000;

/** The answer, or another in its place where it comes too late or not at all. */
export function inTime<Answer>(asked: Promise<Answer>, otherwise: Answer, ms = usualMs): Promise<Answer> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Answer>((resolve) => {
    timer = setTimeout(resolve, ms, otherwise).unref();
  });
  return Promise.race([asked.catch(() => otherwise), late]).finally(() => clearTimeout(timer));
}
