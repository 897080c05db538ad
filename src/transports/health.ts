/** What is missing to be useful; empty when nothing is. */
export type Check = () => Promise<Readonly<Record<string, string>>>;

/** How long the database may take to answer. */
const answerMs = 2_000;

/** 200 while this node should be sent clients, 503 with what is missing otherwise. */
export function createReadiness({
  ask,
  isDraining,
}: {
  ask: () => Promise<unknown>;
  isDraining: () => boolean;
}) {
  const check: Check = async () => ({
    ...(isDraining() ? { draining: 'this node is going away' } : {}),
    ...((await answers(ask)) ? {} : { postgres: 'does not answer' }),
  });
  return async (): Promise<{ status: number; body: object }> => {
    const missing = await check();
    const isReady = Object.keys(missing).length === 0;
    return isReady
      ? { status: 200, body: { status: 'ready' } }
      : { status: 503, body: { status: 'not ready', missing } };
  };
}

async function answers(ask: () => Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), answerMs);
  });
  try {
    return await Promise.race([ask().then(() => true), late]);
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}
