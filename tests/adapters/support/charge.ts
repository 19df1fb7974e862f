import type { Holding, Own } from '../../../src/core/owned.ts';

/** What one process at a time has charge of, handed over by the test. */
export function charge(mine: boolean) {
  let held = false;
  let unknown = false;
  let holding: Holding = {};
  const turn = async (to: boolean): Promise<void> => {
    if (to === held) return;
    held = to;
    await (to ? holding.begin?.() : holding.end?.());
  };
  const own: Own = (_name, given) => {
    holding = given;
    return {
      get held() {
        return held;
      },
      get taken() {
        return !held && !unknown;
      },
      start: () => turn(mine),
      stop: () => turn(false),
    };
  };
  return {
    own,
    give: () => turn(true),
    takeAway: () => turn(false),
    /** It lapses, and nobody can tell whose it is. */
    lose: () => {
      unknown = true;
      return turn(false);
    },
  };
}
