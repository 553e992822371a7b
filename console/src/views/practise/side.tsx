// Beside a conversation: its grade when there is one, its questions, and what it is about.

import { Quiz } from "../../conversation/quiz";
import type { ChatState } from "../../conversation/types";
import { call } from "../../socket";
import { Briefing } from "./briefing";
import type { Attempt } from "./content";
import { Feedback } from "./feedback";

interface Props {
  attempt: Attempt;
  chatId: string;
  state: ChatState;
  open: boolean;
  show: "all" | "talk" | "about" | "grade";
  onJump: (messageId: string, quote: string) => void;
}

export function SidePanel({ attempt, chatId, state, open, show, onJump }: Props) {
  const chat = state.chat;
  if (!chat) return null;
  const { scenario, template } = chat;
  const videos = template.video_enabled ? scenario.videos : [];
  const questions = template.questions_enabled ? scenario.questions : [];
  const answer = async (questionId: string, optionIds: string[]) => {
    await call("attempt_response_submit", {
      chat_id: chatId,
      question_id: questionId,
      option_ids: optionIds,
    });
  };
  const about = show === "all" || show === "about";
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <aside class="practise-side" aria-label="About this conversation" hidden={show === "talk"} tabIndex={0}>
      <div hidden={show !== "all" && show !== "grade"}>
        <Feedback attempt={attempt} chat={chat} grades={state.grades} ended={state.ended} onJump={onJump} />
      </div>
      <div hidden={!about}>
        <Quiz
          videos={videos}
          questions={questions}
          responses={state.responses}
          onAnswer={open ? answer : undefined}
        />
        <Briefing
          scenario={{ ...scenario, template }}
          persona={chat.persona}
          documents={chat.documents}
          limit={template.time_limit}
        />
      </div>
    </aside>
  );
}
