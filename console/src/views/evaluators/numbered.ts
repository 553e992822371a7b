// Lists below /test_framework/ come by numbered pages, newest first. Not usePages: its cursor stays where it is,
// while these pages shift with each new item, so that further ones fit only when all are read together.

import { useCallback, useEffect, useState } from "preact/hooks";
import { get } from "../../rest";

const PAGE_SIZE = 50;

interface Answer<T> {
  count: number;
  next: string | null;
  results: T[];
}

interface Numbered<T> {
  items: T[];
  count: number;
  more: (() => void) | null;
  error: Error | null;
  loading: boolean;
  reload(): void;
}

/**
 * Reads a list, further pages when asked; what is there stays while it is read again.
 *
 * A component that comes to show another list needs a key, so that nothing of the old one stays.
 */
export function useNumbered<T>(path: string, pageSize = PAGE_SIZE): Numbered<T> {
  const [items, setItems] = useState<T[]>([]);
  const [count, setCount] = useState(0);
  const [pages, setPages] = useState(1);
  const [turn, setTurn] = useState(0);
  const [error, setError] = useState<Error | null>(null);
  const [loading, setLoading] = useState(true);
  useEffect(() => {
    const stopped = new AbortController();
    setLoading(true);
    read<T>(path, { pages, pageSize, stopped: stopped.signal }).then(
      (found) => {
        setItems(found.items);
        setCount(found.count);
        setError(null);
        setLoading(false);
      },
      (reason: Error) => {
        if (stopped.signal.aborted) return;
        setError(reason);
        setLoading(false);
      },
    );
    return () => stopped.abort();
  }, [path, pages, pageSize, turn]);
  const reload = useCallback(() => setTurn((before) => before + 1), []);
  const more = items.length < count ? () => setPages(pages + 1) : null;
  return { items, count, more, error, loading, reload };
}

interface Span {
  pages: number;
  pageSize: number;
  stopped: AbortSignal;
}

async function read<T>(
  path: string,
  { pages, pageSize, stopped }: Span,
): Promise<{ items: T[]; count: number }> {
  const items: T[] = [];
  let count = 0;
  for (let page = 1; page <= pages; page += 1) {
    const answer = await get<Answer<T>>(path, { page, page_size: pageSize }, stopped);
    items.push(...answer.results);
    count = answer.count;
    if (answer.next === null) break;
  }
  return { items, count };
}
