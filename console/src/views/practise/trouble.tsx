// What went wrong in a conversation, and what to do about it.

import type { Shown } from "../../conversation/branches";
import type { ChatState } from "../../conversation/types";
import { Button } from "../../parts";

interface Props {
  state: ChatState;
  open: boolean;
  shown: Shown[];
  onAgain: (text: string, parent: string | null | undefined) => Promise<void>;
}

export function Trouble({ state, open, shown, onAgain }: Props) {
  const { notice } = state;
  if (!notice || !open || state.running || notice.type !== "send") return null;
  const last = shown.findLast((message) => message.role === "user");
  return (
    <div class="practise-trouble" role="alert">
      <p>
        The answer did not come to its end: {notice.message} <code>{notice.code}</code>
      </p>
      {last && <Button onClick={() => onAgain(last.content, last.parent ?? undefined)}>Say it again</Button>}
    </div>
  );
}
