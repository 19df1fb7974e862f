/** How a secret may look once it has been on its way: in a URL, a form, JSON, or decoded again from there. */
export function formsOf(secret: string): ReadonlySet<string> {
  const text = secret.toWellFormed();
  const forms = [
    text,
    encodeURI(text),
    encodeURIComponent(text),
    new URLSearchParams({ '': text }).toString().slice(1),
    ...inUrls(text),
    decoded(text),
  ];
  const lower = forms.map((form) => form.replace(/%[0-9A-F]{2}/g, (byte) => byte.toLowerCase()));
  return new Set([secret, ...[...forms, ...lower].flatMap((form) => [form, ...inJson(form)])]);
}

function inJson(text: string): string[] {
  const escaped = JSON.stringify(text).slice(1, -1);
  // The others as PHP and Python write it.
  const ascii = escaped.replace(
    /[^\0-\x7f]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return [escaped, escaped.replaceAll('/', '\\/'), ascii];
}

/** As the URL standard writes it: in a path, a query and a fragment, or as the beginning of a URL. */
function inUrls(text: string): string[] {
  const within = ['http://a.test/x', 'http://a.test/?x', 'http://a.test/#x'].flatMap((before) => {
    // Between letters, as white space at the end of a URL would go.
    const href = URL.parse(`${before}${text}x`)?.href ?? '';
    return href.startsWith(before) ? [href.slice(before.length, -1)] : [];
  });
  const whole = URL.parse(text)?.href;
  return whole === undefined ? within : [...within, whole];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
