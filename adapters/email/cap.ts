import { HOUR, type Clock } from '../../src/domain/clock.ts';

/** `over` the first time a sender is above the cap in an hour, `still_over` from then on. */
export type Room = 'within' | 'over' | 'still_over';

/** Counts the mails of each sender by the hour, at most `most`. A mail that comes again under its UID counts once. */
export function hourlyCap(clock: Clock, most: number): (sender: string, uid: number) => Room {
  let hour = 0;
  let mails = new Map<string, Set<number>>();
  const warned = new Set<string>();
  return (sender, uid) => {
    const current = Math.floor(clock.now().getTime() / HOUR);
    if (current !== hour) {
      mails = new Map();
      warned.clear();
    }
    hour = current;
    const seen = mails.get(sender) ?? new Set();
    mails.set(sender, seen);
    if (seen.has(uid) || seen.size < most) {
      seen.add(uid);
      return 'within';
    }
    if (warned.has(sender)) return 'still_over';
    warned.add(sender);
    return 'over';
  };
}
