// What differs between what was recorded and what was said, word by word.

export interface Piece {
  text: string;
  /** In both, only in what was recorded, or only in the replay. */
  kind: "same" | "gone" | "new";
}

const MOST = 1_000_000; // cells of the table: a thousand words against a thousand

/** Finds the longest common words of two texts; texts that are too long are told as different at their middle. */
export function diff(before: string, after: string): Piece[] {
  const [a, b] = [words(before), words(after)];
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < Math.min(a.length, b.length) - head && a[a.length - 1 - tail] === b[b.length - 1 - tail])
    tail += 1;
  const pieces: Piece[] = a.slice(0, head).map((text) => ({ text, kind: "same" }));
  pieces.push(...middle(a.slice(head, a.length - tail), b.slice(head, b.length - tail)));
  pieces.push(...a.slice(a.length - tail).map((text): Piece => ({ text, kind: "same" })));
  return joined(pieces);
}

function words(text: string): string[] {
  return text.match(/\s+|[\p{L}\p{N}_'’-]+|[^\s\p{L}\p{N}]/gu) ?? [];
}

function middle(a: string[], b: string[]): Piece[] {
  const gone = (text: string): Piece => ({ text, kind: "gone" });
  const fresh = (text: string): Piece => ({ text, kind: "new" });
  if (a.length * b.length > MOST || a.length === 0 || b.length === 0)
    return [...a.map(gone), ...b.map(fresh)];
  const width = b.length + 1;
  const table = lengths(a, b);
  const found: Piece[] = [];
  let [i, j] = [0, 0];
  while (i < a.length && j < b.length) {
    const [left, right] = [a[i] ?? "", b[j] ?? ""];
    if (left === right) {
      found.push({ text: left, kind: "same" });
      i += 1;
      j += 1;
    } else if ((table[(i + 1) * width + j] ?? 0) >= (table[i * width + j + 1] ?? 0)) {
      found.push(gone(left));
      i += 1;
    } else {
      found.push(fresh(right));
      j += 1;
    }
  }
  return [...found, ...a.slice(i).map(gone), ...b.slice(j).map(fresh)];
}

/** The length of the longest common part of what follows in both, for each pair of places. */
function lengths(a: string[], b: string[]): Uint16Array {
  const width = b.length + 1;
  const table = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      const next = table[(i + 1) * width + j + 1] ?? 0;
      const [down, right] = [table[(i + 1) * width + j] ?? 0, table[i * width + j + 1] ?? 0];
      table[i * width + j] = a[i] === b[j] ? next + 1 : Math.max(down, right);
    }
  }
  return table;
}

function joined(pieces: Piece[]): Piece[] {
  const found: Piece[] = [];
  for (const piece of pieces) {
    const last = found.at(-1);
    if (last?.kind === piece.kind) last.text += piece.text;
    else found.push({ ...piece });
  }
  return found;
}
