/**
 * The text in at most so many UTF-16 units, with `…` for its last where some were left out. What is written, digested or
 * sent has to be well-formed Unicode, and a plain `slice` may cut a character in half.
 */
export function clip(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1).toWellFormed()}…` : text.toWellFormed();
}
