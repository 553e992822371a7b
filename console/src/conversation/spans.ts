// Where a quote stands in a text, white space aside, as the server checks it.

export interface Piece {
  text: string;
  marked: boolean;
}

function spanOf(content: string, quote: string): [number, number] | null {
  const exact = quote === "" ? -1 : content.indexOf(quote);
  if (exact >= 0) return [exact, exact + quote.length];
  const words = quote.split(/\s+/u).filter((word) => word !== "");
  if (words.length === 0) return null;
  const pattern = words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("\\s+");
  const found = new RegExp(pattern, "u").exec(content);
  return found ? [found.index, found.index + found[0].length] : null;
}

const PART = 2_000; // characters, or more up to the next space; a browser lays out anew only what changed

/** A text in parts, of which all but the last stay as they are while it grows. */
export function parts(text: string): string[] {
  const found = [];
  for (let at = 0; at < text.length; ) {
    const space = text.indexOf(" ", at + PART);
    const end = space < 0 ? text.length : space;
    found.push(text.slice(at, end));
    at = end;
  }
  return found;
}

/** The text in pieces, with the quote marked; in one unmarked piece when it does not stand there. */
export function pieces(content: string, quote: string | null): Piece[] {
  const span = quote === null ? null : spanOf(content, quote);
  if (!span) return [{ text: content, marked: false }];
  const [from, to] = span;
  return [
    { text: content.slice(0, from), marked: false },
    { text: content.slice(from, to), marked: true },
    { text: content.slice(to), marked: false },
  ].filter((piece) => piece.text !== "");
}
