/** A menu behind a “…” button, in the top layer: nothing cuts it off. */
import { h } from './dom.js';

let count = 0;

/** The button and its menu; each entry is `{ label, props, run() }`, `props` being more attributes. */
export function menuNodes(label, entries) {
  count += 1;
  const id = `menu-${count}`;
  const menu = h(
    'div',
    { id, class: 'menu', role: 'menu', popover: 'auto', 'aria-label': label, onkeydown: move },
    ...entries.map(({ label: name, props, run }) =>
      h(
        'button',
        {
          type: 'button',
          role: 'menuitem',
          ...props,
          onclick: () => {
            menu.hidePopover();
            void run();
          },
        },
        name,
      ),
    ),
  );
  const button = h(
    'button',
    {
      type: 'button',
      class: 'tool more',
      'aria-label': label,
      'aria-haspopup': 'menu',
      'aria-expanded': 'false',
      popovertarget: id,
    },
    '⋯',
  );
  menu.addEventListener('toggle', ({ newState }) => {
    const isOpen = newState === 'open';
    button.setAttribute('aria-expanded', String(isOpen));
    if (!isOpen) return;
    place(menu, button.getBoundingClientRect());
    menu.querySelector('button')?.focus();
  });
  return [button, menu];
}

/** Below the button where there is room, else above; never beyond the window. */
function place(menu, { bottom, top, right }) {
  const { offsetWidth: width, offsetHeight: height } = menu;
  const below = bottom + 4 + height <= window.innerHeight;
  menu.style.top = `${Math.max(4, below ? bottom + 4 : top - 4 - height)}px`;
  menu.style.left = `${Math.max(4, right - width)}px`;
}

/** The arrow keys go through the entries. */
function move(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step === undefined) return;
  event.preventDefault();
  const items = [...event.currentTarget.querySelectorAll('button')];
  items.at((items.indexOf(document.activeElement) + step) % items.length)?.focus();
}
