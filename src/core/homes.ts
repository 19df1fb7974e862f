import { approvals, votes } from '../domain/approval.ts';
import { DAY } from '../domain/clock.ts';
import { jobs } from '../domain/job.ts';
import { identities, principals, roles } from '../domain/principal.ts';
import { probeStates } from '../domain/probe.ts';
import { homes } from '../domain/records.ts';
import { tasks } from '../domain/task.ts';
import { EVERYBODY } from './linked-addresses.ts';
import type { Store } from './store.ts';

/** Whoever has not opened their Home for so long is not kept up to date any more; milliseconds. */
const LATELY = 30 * DAY;
/** What `home` is made of; who is asking decides what of it. */
const SHOWN = [approvals, votes, tasks, jobs, probeStates, principals, roles, identities];

/** Somebody whose Home is kept right. */
export interface Opened {
  /** Proven on the channel: `T1/U2`. */
  readonly subject: string;
  /** Another one each time that they open it. */
  readonly time: number;
}

/** On a channel where each person has a page of their own that stays: who has opened it lately, and when it may be wrong. */
export interface Homes {
  /** Those who opened it in the last 30 days. */
  lately(): Promise<readonly Opened[]>;
  /** Keeps that somebody has just opened it, and forgets whoever has not for long. */
  opened(subject: string): Promise<void>;
  /** It is to be kept right no longer, unless it was opened again since. */
  forget(opened: Opened): Promise<void>;
  /**
   * Told after each commit, of whichever process, that may have changed what somebody's Home shows (`shown`) or who has
   * opened it (`opened`). Returns the way to stop.
   */
  onChange(listener: (change: { readonly shown: boolean; readonly opened: boolean }) => void): () => void;
}

export function createHomes(store: Store, workspace: string, channel: string): Homes {
  const prefix = `${channel}:`;
  return {
    lately: () =>
      store.read(workspace, async (tx) => {
        const since = new Date(tx.now.getTime() - LATELY);
        const rows = await tx.find(homes, { where: { openedAt: { above: since } }, limit: EVERYBODY });
        return rows
          .filter(({ id }) => id.startsWith(prefix))
          .map(({ id, version }) => ({ subject: id.slice(prefix.length), time: version }));
      }),
    opened: (subject) =>
      store.transaction(workspace, async (tx) => {
        await tx.remove(homes, { openedAt: { atMost: new Date(tx.now.getTime() - LATELY) } });
        const id = `${prefix}${subject}`;
        const row = await tx.get(homes, { id });
        if (row) await tx.update(homes, row, { openedAt: tx.now });
        else await tx.insert(homes, { id, openedAt: tx.now });
      }),
    forget: ({ subject, time }) =>
      store.transaction(workspace, async (tx) => {
        await tx.remove(homes, { id: `${prefix}${subject}`, version: time });
      }),
    onChange: (listener) =>
      store.onCommit((commit) => {
        if (commit.workspace !== workspace) return;
        const shown = SHOWN.some(({ name }) => commit.tables.has(name));
        const opened = commit.tables.has(homes.name);
        if (shown || opened) listener({ shown, opened });
      }),
  };
}
