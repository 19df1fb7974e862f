/**
 * An element with properties and children. Text comes in as text nodes only, so no markup in it ever becomes an element.
 * `on…` are listeners; `data-…`, `aria-…` and the like attributes; undefined and false are left out.
 */
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...children.flat().filter((child) => child !== undefined && child !== null));
  return element;
}

const drawn = new WeakMap();

/** Puts one child for each item into `parent`; a child whose item did not change stays as it is, with its focus. */
export function keyed(parent, items, key, build) {
  const before = drawn.get(parent) ?? new Map();
  const after = new Map();
  for (const item of items) {
    const source = JSON.stringify(item);
    const old = before.get(key(item));
    after.set(key(item), old?.source === source ? old : { source, node: build(item) });
  }
  const nodes = [...after.values()].map(({ node }) => node);
  const gone = Array.from(parent.children).filter((child) => !nodes.includes(child));
  for (const child of gone) child.remove();
  for (const [index, node] of nodes.entries())
    if (parent.children[index] !== node) parent.insertBefore(node, parent.children[index] ?? null);
  drawn.set(parent, after);
}

/** The element with an id of index.html. */
export const byId = (id) => document.getElementById(id);

/** Sends a deed; the answer says whether it went well, an error in words else. */
export async function act(deed) {
  try {
    const response = await fetch('/ui/do', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(deed),
    });
    return await response.json();
  } catch {
    return {
      ok: false,
      error: 'The fake Slack itself does not answer: is `npm run fake:slack` still running?',
    };
  }
}
