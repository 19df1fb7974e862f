import type { PostedMessage, Timestamps } from './messages.ts';
import type { PageMessage, PageState } from './page/world.ts';
import type { Team } from './payloads.ts';

export interface FakeUser {
  readonly id: string;
  readonly name: string;
  /** A guest. */
  readonly isRestricted?: boolean;
}

/** A message in an acknowledgement or to a response_url. */
export interface Answer {
  readonly text: string;
  readonly blocks?: PostedMessage['blocks'];
  readonly response_type?: string;
  readonly replace_original?: boolean;
  readonly delete_original?: boolean;
  readonly thread_ts?: string;
}

/** Whom an answer is for, and the message whose button it answers. */
export interface Asked {
  readonly channel: string;
  readonly user: string;
  readonly original?: string | undefined;
}

type Entry = { -readonly [Key in keyof PageMessage]: PageMessage[Key] };

/** The channel id of a user's direct messages with the bot. */
export const dmOf = (user: string): string => user.replace(/^[UW]/, 'D');

/** Where a message to this address lands: one to a user is a direct message (docs.slack.dev/reference/methods/chat.postMessage). */
export const landing = (channel: string): string => (/^[UW]/.test(channel) ? dmOf(channel) : channel);

/** What people in the workspace see: everything typed, posted, updated and answered, in order. */
export class World {
  readonly #team: Team;
  readonly #timestamps: Timestamps;
  readonly #users: FakeUser[] = [];
  readonly #listeners = new Set<() => void>();
  #messages: Entry[] = [];

  constructor(team: Team, timestamps: Timestamps) {
    this.#team = team;
    this.#timestamps = timestamps;
  }

  addUser(user: FakeUser): void {
    this.#users.push(user);
    this.#tell();
  }

  /** A person's mention or direct message. */
  typed(message: Pick<PageMessage, 'channel' | 'ts' | 'thread_ts' | 'user' | 'text'>): void {
    this.#messages.push({ ...message, blocks: [] });
    this.#tell();
  }

  posted(message: PostedMessage): void {
    this.#messages.push({ ...message, channel: landing(message.channel), user: this.#team.botUser });
    this.#tell();
  }

  updated({ channel, ts, text, blocks }: PostedMessage): void {
    const found = this.#find(landing(channel), ts);
    if (found !== undefined) this.#edit(found, text, blocks);
    this.#tell();
  }

  /** Seen by the asker alone unless `in_channel` (docs.slack.dev/interactivity/handling-user-interaction). */
  answered({ channel, user, original }: Asked, answer: Answer): void {
    const { text, blocks = [], thread_ts, response_type: kind } = answer;
    const found = original === undefined ? undefined : this.#find(channel, original);
    if (answer.delete_original) this.#messages = this.#messages.filter((message) => message !== found);
    else if (answer.replace_original && found !== undefined) this.#edit(found, text, blocks);
    else {
      const audience = kind === 'in_channel' ? {} : { ephemeralFor: user };
      const ts = this.#timestamps.next();
      this.#messages.push({ channel, ts, thread_ts, user: this.#team.botUser, text, blocks, ...audience });
    }
    this.#tell();
  }

  state(): PageState {
    const seen = new Set(this.#messages.map(({ channel }) => channel).filter((id) => !id.startsWith('D')));
    return {
      team: { id: this.#team.teamId, name: 'Example' },
      users: [
        { id: this.#team.botUser, name: 'signalbox', isBot: true },
        ...this.#users.map((user) => ({ ...user, isBot: false })),
      ],
      channels: [
        ...[...seen].map((id) => ({ id, name: id, kind: 'channel' as const })),
        ...this.#users.map(({ id, name }) => ({ id: dmOf(id), name, kind: 'dm' as const, user: id })),
      ],
      messages: this.#messages.map((message) => ({ ...message })),
      homes: {},
      modals: {},
      modalErrors: {},
    };
  }

  /** Calls the listener after every change; the answer takes it off again. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #find(channel: string, ts: string): Entry | undefined {
    return this.#messages.find((message) => message.channel === channel && message.ts === ts);
  }

  #edit(message: Entry, text: string, blocks: PostedMessage['blocks']): void {
    const edited = { user: this.#team.botUser, ts: this.#timestamps.next() };
    Object.assign(message, { text, blocks, edited });
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
