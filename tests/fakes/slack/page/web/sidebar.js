/** Who I am, where I can be, and whether the app is there. */
import { byId, h, keyed } from './dom.js';
import { avatar } from './timeline.js';

/**
 * Draws it.
 * @param people each with `isMe`. @param places each with `isHere` and `unread`.
 * @param handlers `be(person)` and `go(place)`.
 */
export function drawSidebar({ people, places, page }, handlers) {
  keyed(
    byId('people'),
    people,
    ({ id }) => id,
    (person) => personButton(person, handlers),
  );
  keyed(
    byId('places'),
    places,
    ({ key }) => key,
    (place) => placeItem(place, handlers),
  );
  const link = byId('link');
  link.className = page.isReachable ? 'good' : 'bad';
  const { host } = new URL(page.target);
  const where = page.mode === 'socket' ? 'is connected by Socket Mode' : `is at ${host}`;
  link.textContent = page.isReachable ? `Signalbox ${where}` : `Signalbox cannot be reached at ${host}`;
}

const personButton = (person, { be }) =>
  h(
    'button',
    {
      type: 'button',
      class: 'person',
      'data-person': person.id,
      'aria-pressed': String(person.isMe),
      onclick: () => be(person),
    },
    avatar(person.name, person.id),
    h('span', {}, person.name),
    person.isRestricted ? h('small', {}, 'guest') : undefined,
  );

const placeItem = (one, { go }) =>
  h(
    'li',
    {},
    h(
      'button',
      {
        type: 'button',
        class: 'place',
        'data-place': one.key,
        'aria-current': one.isHere && 'page',
        onclick: () => go(one),
      },
      h('span', { class: 'sign', 'aria-hidden': 'true' }, one.sign),
      h('span', { class: 'name' }, one.name),
      one.unread > 0
        ? h('span', { class: 'count', 'aria-label': `${one.unread} unread` }, String(one.unread))
        : undefined,
    ),
  );
