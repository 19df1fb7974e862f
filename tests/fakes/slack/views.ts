import type { Clock } from '../../../src/domain/clock.ts';
import { ApiRefusal } from './api-refusal.ts';
import { type PostedBlock, withIds } from './messages.ts';
import type { ViewState } from './modal-values.ts';
import type { Bot } from './team.ts';
import { type Fields, isFields } from './text-objects.ts';
import type { Triggers } from './triggers.ts';
import { checkView } from './view-blocks.ts';
import type { Violations } from './violations.ts';

type Params = Readonly<Record<string, unknown>>;
type Answer = Record<string, unknown>;

/** Three views lie on one another at most (docs.slack.dev/surfaces/modals). */
const STACK = 3;

/** A view as Slack sends it. */
export interface SlackView {
  readonly id: string;
  readonly team_id: string;
  readonly type: 'modal' | 'home';
  readonly title: unknown;
  readonly submit: unknown;
  readonly close: unknown;
  readonly blocks: readonly PostedBlock[];
  readonly private_metadata: string;
  readonly callback_id: string;
  readonly external_id: string;
  readonly state: ViewState;
  readonly hash: string;
  readonly clear_on_close: boolean;
  readonly notify_on_close: boolean;
  readonly root_view_id: string;
  readonly previous_view_id: string | null;
  readonly app_id: string;
  readonly app_installed_team_id: string;
  readonly bot_id: string;
}

export interface ViewsParts {
  readonly bot: Bot;
  readonly clock: Clock;
  readonly triggers: Triggers;
  readonly violations: Violations;
  readonly onChange: () => void;
}

/** `views.*`: the modals that stand open, and each user's Home. */
export class Views {
  readonly #modals = new Map<string, SlackView[]>();
  readonly #homes = new Map<string, SlackView>();
  readonly #errors = new Map<string, Readonly<Record<string, string>>>();
  readonly #parts: ViewsParts;
  #count = 0;

  constructor(parts: ViewsParts) {
    this.#parts = parts;
  }

  get homes(): ReadonlyMap<string, SlackView> {
    return this.#homes;
  }

  get modals(): ReadonlyMap<string, readonly SlackView[]> {
    return this.#modals;
  }

  get errors(): ReadonlyMap<string, Readonly<Record<string, string>>> {
    return this.#errors;
  }

  /** The undermost first. */
  stack(user: string): readonly SlackView[] {
    return this.#modals.get(user) ?? [];
  }

  open({ view, trigger_id: trigger }: Params): Answer {
    const fields = this.#checked('views.open', view, 'modal');
    const user = this.#parts.triggers.exchange(trigger);
    const opened = this.#made(fields);
    this.#setStack(user, [opened]);
    return { ok: true, view: opened };
  }

  update({ view, view_id: id, external_id: external, hash }: Params): Answer {
    if (id === undefined && external === undefined)
      throw new ApiRefusal('invalid_arguments', 'views.update: view_id or external_id is missing');
    const isWanted = (one: SlackView): boolean =>
      id === undefined ? one.external_id === external : one.id === id;
    for (const [user, stack] of this.#modals) {
      const old = stack.find(isWanted);
      if (old === undefined) continue;
      const fields = this.#checked('views.update', view, 'modal', old);
      this.#sameHash(old, hash);
      return { ok: true, view: this.#replace(user, old, fields) };
    }
    throw new ApiRefusal('not_found');
  }

  publish({ user_id: user, view, hash }: Params): Answer {
    if (typeof user !== 'string' || !/^[UW][A-Z0-9]+$/.test(user))
      throw new ApiRefusal('invalid_arguments', 'views.publish: user_id is no user id');
    const old = this.#homes.get(user);
    const fields = this.#checked('views.publish', view, 'home', old);
    if (old !== undefined) this.#sameHash(old, hash);
    const published = this.#made(fields, old);
    this.#homes.set(user, published);
    this.#parts.onChange();
    return { ok: true, view: published };
  }

  /** Takes the topmost view off, or all of them. */
  close(user: string, all = false): void {
    this.#setStack(user, all ? [] : this.stack(user).slice(0, -1));
  }

  /** What stands under the fields of the topmost view. */
  setErrors(user: string, errors: Readonly<Record<string, string>>): void {
    if (Object.keys(errors).length === 0) this.#errors.delete(user);
    else this.#errors.set(user, errors);
    this.#parts.onChange();
  }

  /** Keeps what was typed in the topmost view. */
  keep(user: string, state: ViewState): SlackView | undefined {
    const top = this.stack(user).at(-1);
    if (top === undefined) return undefined;
    const kept = { ...top, state };
    this.#setStack(user, [...this.stack(user).slice(0, -1), kept]);
    return kept;
  }

  /** `response_action: update`. @throws ApiRefusal as a call would. */
  updateTop(user: string, view: unknown): void {
    const top = this.stack(user).at(-1);
    if (top !== undefined) this.#replace(user, top, this.#checked('view_submission', view, 'modal', top));
  }

  /** `response_action: push`. @throws ApiRefusal as a call would. */
  push(user: string, view: unknown): void {
    const stack = this.stack(user);
    const fields = this.#checked('view_submission', view, 'modal');
    if (stack.length >= STACK)
      throw new ApiRefusal('push_limit_reached', 'view_submission: three views at most');
    this.#setStack(user, [...stack, this.#made(fields, undefined, stack.at(-1))]);
  }

  #replace(user: string, old: SlackView, fields: Fields): SlackView {
    const updated = this.#made(fields, old);
    const stack = this.stack(user).map((one) => (one.id === old.id ? updated : one));
    this.#setStack(user, stack);
    return updated;
  }

  #setStack(user: string, stack: SlackView[]): void {
    this.#modals.set(user, stack);
    this.#errors.delete(user);
    this.#parts.onChange();
  }

  #sameHash(old: SlackView, hash: unknown): void {
    if (hash !== undefined && hash !== old.hash) throw new ApiRefusal('hash_conflict');
  }

  #checked(method: string, view: unknown, type: 'modal' | 'home', old?: SlackView): Fields {
    const errors = checkView(view, type);
    for (const error of errors) this.#parts.violations.add(`${method}: ${error}`);
    if (!isFields(view) || errors.length > 0)
      throw new ApiRefusal(errors.includes('view_too_large') ? 'view_too_large' : 'invalid_arguments');
    const external = view['external_id'];
    const all = [...this.#modals.values()].flat().concat(...this.#homes.values());
    if (external !== undefined && all.some((one) => one.external_id === external && one.id !== old?.id))
      throw new ApiRefusal('duplicate_external_id');
    return view;
  }

  /** `old` is the view of which this is another state; `below` the one on which it lies. */
  #made(fields: Fields, old?: SlackView, below?: SlackView): SlackView {
    const { bot, clock } = this.#parts;
    this.#count += 1;
    const number = String(this.#count);
    const id = old?.id ?? `V0FAKE${number.padStart(4, '0')}`;
    const text = (name: string): string => {
      const value = fields[name];
      return typeof value === 'string' ? value : '';
    };
    return {
      id,
      team_id: bot.teamId,
      type: fields['type'] === 'home' ? 'home' : 'modal',
      title: withEmoji(fields['title']),
      submit: withEmoji(fields['submit']),
      close: withEmoji(fields['close']),
      blocks: withIds(fields['blocks'] as PostedBlock[]),
      private_metadata: text('private_metadata'),
      callback_id: text('callback_id'),
      external_id: text('external_id'),
      state: { values: {} },
      hash: `${Math.floor(clock.now().getTime() / 1_000)}.${number.padStart(8, '0')}`,
      clear_on_close: fields['clear_on_close'] === true,
      notify_on_close: fields['notify_on_close'] === true,
      root_view_id: old?.root_view_id ?? below?.root_view_id ?? id,
      previous_view_id: old?.previous_view_id ?? below?.id ?? null,
      app_id: bot.appId,
      app_installed_team_id: bot.teamId,
      bot_id: bot.botId,
    };
  }
}

/** Slack says of each plain text whether its `:colons:` are emoji. */
const withEmoji = (text: unknown): unknown => (isFields(text) ? { emoji: true, ...text } : null);
