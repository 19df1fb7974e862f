/**
 * A callback that awaits `tx` alone finishes within the microtasks of this turn. One that is not done when the turn is
 * over waits for something else, and would hold every other command's commit: it is thrown out.
 */
export async function inOneTurn<T>(running: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const turn = setImmediate(() =>
    late.reject(new Error('A handler held the transaction: it may await nothing but ctx.tx.')),
  );
  try {
    return await Promise.race([running, late.promise]);
  } finally {
    clearImmediate(turn);
  }
}
