const refuse = (): never => {
  throw new TypeError('The configuration is read-only.');
};

/** Freezes a value, everything it holds, and its maps, which `Object.freeze` alone leaves open. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  if (value instanceof Map) {
    Object.defineProperties(value, {
      set: { value: refuse },
      delete: { value: refuse },
      clear: { value: refuse },
    });
    value.forEach(deepFreeze);
  }
  Object.freeze(value);
  Object.values(value).forEach(deepFreeze);
  return value;
}
