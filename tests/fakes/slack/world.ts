import type { PostedMessage } from './messages.ts';

/** A person, or another bot, as far as the app can tell them apart. */
export interface User {
  readonly id: string;
  readonly name: string;
  readonly teamId: string;
  readonly isBot: boolean;
  /** A guest of several channels. */
  readonly isRestricted: boolean;
  /** A guest of a single channel. */
  readonly isUltraRestricted: boolean;
  /** Of another workspace, met in a shared channel. */
  readonly isStranger: boolean;
  readonly deleted: boolean;
}

export type NewUser = Pick<User, 'id'> & Partial<User>;

export interface Channel {
  readonly id: string;
  readonly name: string;
  readonly isArchived: boolean;
  readonly hasBot: boolean;
}

/** What a page shows of the world; JSON. */
export interface Place {
  readonly id: string;
  readonly name: string;
  readonly kind: 'channel' | 'dm';
  readonly user?: string;
}

/** Users, channels and messages. Users (U…) and channels (C…, G…) that nobody named exist as well: members, open. */
export class World {
  /** Of everybody, in order; also what only one person sees. */
  readonly messages: PostedMessage[] = [];
  readonly #users = new Map<string, User>();
  readonly #channels = new Map<string, Channel>();
  readonly #listeners = new Set<() => void>();
  readonly #teamId: string;

  constructor(teamId: string) {
    this.#teamId = teamId;
  }

  get users(): readonly User[] {
    return [...this.#users.values()];
  }

  addUser(user: NewUser): User {
    const full: User = {
      name: user.id.toLowerCase(),
      teamId: this.#teamId,
      isBot: false,
      isRestricted: false,
      isUltraRestricted: false,
      isStranger: false,
      deleted: false,
      ...user,
    };
    this.#users.set(user.id, full);
    this.changed();
    return full;
  }

  /** The user of this id, a full member unless told otherwise; undefined where it is no user id. */
  user(id: string): User | undefined {
    const known = this.#users.get(id);
    if (known !== undefined || !/^[UW][A-Z0-9]+$/.test(id)) return known;
    return this.addUser({ id });
  }

  /** Deactivates an account. */
  deleteUser(id: string): void {
    this.addUser({ ...this.user(id), id, deleted: true });
  }

  addChannel(channel: Pick<Channel, 'id'> & Partial<Channel>): void {
    this.#channels.set(channel.id, { name: 'general', isArchived: false, hasBot: true, ...channel });
    this.changed();
  }

  /** The channel of this id; undefined where it is none, or a direct message. */
  channel(id: string): Channel | undefined {
    if (!/^[CG][A-Z0-9]+$/.test(id)) return undefined;
    if (!this.#channels.has(id)) this.addChannel({ id });
    return this.#channels.get(id);
  }

  archive(id: string): void {
    this.addChannel({ ...this.channel(id), id, isArchived: true });
  }

  removeBot(id: string): void {
    this.addChannel({ ...this.channel(id), id, hasBot: false });
  }

  /** The conversation of a user and the bot. */
  dmOf(user: string): string {
    return `D${user.slice(1)}`;
  }

  /** The other way round; undefined where it is no direct message. */
  userOfDm(id: string): User | undefined {
    return /^D[A-Z0-9]+$/.test(id) ? this.user(`U${id.slice(1)}`) : undefined;
  }

  places(): Place[] {
    const channels = [...this.#channels.values()].map(
      ({ id, name }): Place => ({ id, name, kind: 'channel' }),
    );
    const dms = this.users
      .filter(({ isBot }) => !isBot)
      .map(({ id, name }): Place => ({ id: this.dmOf(id), name, kind: 'dm', user: id }));
    return [...channels, ...dms];
  }

  add(message: PostedMessage): void {
    this.messages.push(message);
    this.changed();
  }

  find(channel: string, ts: unknown): PostedMessage | undefined {
    return this.messages.find((message) => message.channel === channel && message.ts === ts);
  }

  remove(message: PostedMessage): void {
    const index = this.messages.indexOf(message);
    if (index !== -1) this.messages.splice(index, 1);
    this.changed();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
