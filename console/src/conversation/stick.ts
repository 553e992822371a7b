// Keeps a scrolling list at its end while its reader is there, and where they are otherwise.

import type { RefObject } from "preact";
import { useCallback, useLayoutEffect, useRef, useState } from "preact/hooks";

const NEAR = 56;

export interface Stick {
  atEnd: boolean;
  onScroll: () => void;
  toEnd: () => void;
  /** Let the list stay where it is when it grows: somebody is about to be led elsewhere. */
  letGo: () => void;
}

/** `first` names the first item: when it changes, older ones were put before what is being read. */
export function useStick(box: RefObject<HTMLElement>, first: string | null, content: unknown): Stick {
  const [atEnd, setAtEnd] = useState(true);
  const stuck = useRef(true);
  const before = useRef({ first, height: 0 });

  const toEnd = useCallback(() => {
    stuck.current = true;
    setAtEnd(true);
    if (box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [box]);
  const letGo = useCallback(() => {
    stuck.current = false;
  }, []);
  const onScroll = useCallback(() => {
    const element = box.current;
    if (!element) return;
    stuck.current = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR;
    setAtEnd(stuck.current);
  }, [box]);

  // `content` says when the list has changed
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const was = before.current;
    if (stuck.current) element.scrollTop = element.scrollHeight;
    else if (was.first !== first) element.scrollTop += element.scrollHeight - was.height;
    before.current = { first, height: element.scrollHeight };
  }, [box, first, content]);

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    // the list becomes smaller when a keyboard comes up, or when what stands below it grows
    const watcher = new ResizeObserver(() => {
      if (stuck.current) element.scrollTop = element.scrollHeight;
    });
    watcher.observe(element);
    return () => watcher.disconnect();
  }, [box]);

  return { atEnd, onScroll, toEnd, letGo };
}
