/** The drawer: what was delivered to the app, and which of Slack's rules it broke. */
import { byId, h, keyed } from './dom.js';

export function drawDrawer({ deliveries, violations }) {
  const numbered = violations.map((text, index) => ({ text, index }));
  keyed(
    byId('violations'),
    numbered,
    ({ index }) => index,
    ({ text }) => h('li', { class: 'broken' }, text),
  );
  byId('violations').classList.toggle('none', violations.length === 0);
  byId('drawer-count').hidden = violations.length === 0;
  byId('drawer-count').textContent = String(violations.length);
  const counted = deliveries.map((line, index) => ({ ...line, key: deliveries.length - index }));
  keyed(byId('deliveries'), counted, ({ key, at }) => `${key}/${at}`, deliveryNode);
  byId('deliveries').classList.toggle('none', deliveries.length === 0);
}

function deliveryNode({ at, what, status, milliseconds, error }) {
  const state = error === undefined ? 'good' : 'bad';
  const told = status === undefined ? (error === undefined ? 'not delivered' : 'failed') : String(status);
  return h(
    'li',
    { class: `delivery ${state}` },
    h('span', { class: 'what' }, what),
    h('span', { class: 'status' }, told),
    h('span', { class: 'took' }, milliseconds === undefined ? '' : `${milliseconds} ms`),
    h('time', { datetime: at }, new Date(at).toLocaleTimeString()),
    error && h('p', {}, error),
  );
}

/** Opens and closes it; on a wide screen it starts open. */
export function startDrawer() {
  const toggle = byId('drawer-toggle');
  const set = (open) => {
    byId('drawer').hidden = !open;
    toggle.setAttribute('aria-expanded', String(open));
    document.body.classList.toggle('with-drawer', open);
  };
  toggle.addEventListener('click', () => set(byId('drawer').hidden));
  set(window.innerWidth >= 1_200);
}
