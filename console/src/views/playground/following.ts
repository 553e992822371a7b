/** A box that stays at its newest line, unless somebody reads further up. */

import type { RefObject } from "preact";
import { useCallback, useLayoutEffect, useRef, useState } from "preact/hooks";

const NEAR_PX = 48;

export interface Following {
  box: RefObject<HTMLDivElement>;
  /** False while somebody reads further up. */
  following: boolean;
  onScroll(): void;
  toNewest(): void;
}

/** Keep a box at its end whenever `change` differs, and whenever the box changes its size. */
export function useFollowing(change: unknown): Following {
  const box = useRef<HTMLDivElement>(null);
  const stays = useRef(true);
  const [following, setFollowing] = useState(true);

  const toEnd = useCallback(() => {
    const element = box.current;
    if (element && stays.current) element.scrollTop = element.scrollHeight;
  }, []);

  useLayoutEffect(toEnd, [change]);

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const watch = new ResizeObserver(toEnd);
    watch.observe(element);
    return () => watch.disconnect();
  }, [toEnd]);

  const onScroll = useCallback(() => {
    const element = box.current;
    if (!element) return;
    stays.current = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_PX;
    setFollowing(stays.current);
  }, []);

  const toNewest = useCallback(() => {
    stays.current = true;
    setFollowing(true);
    toEnd();
  }, [toEnd]);

  return { box, following, onScroll, toNewest };
}
