import type { InteractionOptions } from './acts.ts';
import { ApiRefusal } from './api-refusal.ts';
import { type Delivery, type Taken, UNHEARD } from './delivery.ts';
import { type Button, clickOf, type Timestamps } from './messages.ts';
import { drafted, filled, inputBlocks, type ModalValues } from './modal-values.ts';
import * as payloads from './payloads.ts';
import type { Bot } from './team.ts';
import { isFields } from './text-objects.ts';
import type { Triggers } from './triggers.ts';
import type { SlackView, Views } from './views.ts';
import type { Violations } from './violations.ts';
import type { World } from './world.ts';

export interface ViewActsParts {
  readonly bot: Bot;
  readonly world: World;
  readonly views: Views;
  readonly timestamps: Timestamps;
  readonly triggers: Triggers;
  readonly delivery: Delivery;
  readonly violations: Violations;
}

/** What people do in modals and in Home. */
export class ViewActs {
  readonly #parts: ViewActsParts;

  constructor(parts: ViewActsParts) {
    this.#parts = parts;
  }

  async clickInHome(user: string, button: Button, options: InteractionOptions = {}): Promise<Taken> {
    const view = this.#parts.views.homes.get(user);
    if (view === undefined) throw new Error(`Nothing was published to the Home of ${user}.`);
    return this.#click(user, view, button, options);
  }

  /** `values` is what was filled in so far. @throws Error where no modal is open. */
  async clickInModal(
    user: string,
    button: Button,
    values: ModalValues = {},
    options: InteractionOptions = {},
  ): Promise<Taken> {
    const { views } = this.#parts;
    const top = this.#top(user);
    const view = views.keep(user, drafted(top.blocks, values)) ?? top;
    return this.#click(user, view, button, options);
  }

  /** @throws Error where no modal is open, or Slack would not let a person submit it with these values. */
  async submitModal(user: string, values: ModalValues, options: InteractionOptions = {}): Promise<Taken> {
    const { bot, views, delivery, world, triggers } = this.#parts;
    const top = this.#top(user);
    if (top.submit === null) throw new Error('The modal has no submit button.');
    const view = views.keep(user, filled(top.blocks, values)) ?? top;
    const actor = payloads.actorOf(world, user, options.team);
    const payload = payloads.viewSubmission(bot, view, actor, triggers.issue(user, options.triggerId));
    const taken = await delivery.send('interactive', payload, options);
    if (taken.status === 200) this.#applyAck(user, taken.body);
    return taken;
  }

  /** A person closes the topmost modal; the app is told where it asked for that. */
  async closeModal(user: string, options: InteractionOptions = {}): Promise<Taken> {
    const { bot, views, delivery, world } = this.#parts;
    const top = this.#top(user);
    views.close(user, top.clear_on_close);
    if (!top.notify_on_close) return UNHEARD;
    const actor = payloads.actorOf(world, user, options.team);
    const payload = payloads.viewClosed(bot, top, actor, top.clear_on_close);
    return delivery.send('interactive', payload, options);
  }

  #click(user: string, view: SlackView, button: Button, options: InteractionOptions): Promise<Taken> {
    const { bot, world, timestamps, triggers, delivery } = this.#parts;
    const keys = { triggerId: triggers.issue(user, options.triggerId), actionTs: timestamps.next() };
    const actor = payloads.actorOf(world, user, options.team);
    const payload = payloads.viewActions(bot, view, clickOf(view.blocks, button), actor, keys);
    return delivery.send('interactive', payload, options);
  }

  #top(user: string): SlackView {
    const top = this.#parts.views.stack(user).at(-1);
    if (top === undefined) throw new Error(`No modal is open for ${user}.`);
    return top;
  }

  /** docs.slack.dev/surfaces/modals: what the acknowledgement of a submission does. */
  #applyAck(user: string, body: unknown): void {
    const { views, violations } = this.#parts;
    const action = isFields(body) ? body : {};
    try {
      switch (action['response_action']) {
        case 'clear':
          return views.close(user, true);
        case 'errors':
          return this.#showErrors(user, action['errors']);
        case 'update':
          return views.updateTop(user, action['view']);
        case 'push':
          return views.push(user, action['view']);
        default:
          return views.close(user);
      }
    } catch (error) {
      if (!(error instanceof ApiRefusal)) throw error;
      if (error.violation !== undefined) violations.add(error.violation);
    }
  }

  #showErrors(user: string, errors: unknown): void {
    const { views, violations } = this.#parts;
    if (!isFields(errors)) return;
    const known = inputBlocks(views.stack(user).at(-1)?.blocks ?? []);
    for (const [block, text] of Object.entries(errors)) {
      if (!known.includes(block))
        violations.add(`view_submission: errors name ${block}, which is no input block`);
      if (typeof text !== 'string' || text === '')
        violations.add(`view_submission: the error of ${block} has no text`);
    }
    views.setErrors(user, errors as Record<string, string>);
  }
}
