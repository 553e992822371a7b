// The grades of a conversation: the newest one, earlier ones, and asking for another.

import { useState } from "preact/hooks";
import { GradeView } from "../../conversation/grade";
import type { ChatInfo, Grade, Rubric, WholeGrade } from "../../conversation/types";
import { Button, Choice, TextField } from "../../parts";
import { useGet } from "../../rest";
import { call } from "../../socket";
import type { Attempt } from "./content";

interface Props {
  attempt: Attempt;
  chat: ChatInfo;
  grades: Grade[];
  ended: boolean;
  onJump: (messageId: string, quote: string) => void;
}

export function Feedback({ attempt, chat, grades, ended, onJump }: Props) {
  const [chosen, setChosen] = useState<string | null>(null);
  const rubric = useGet<Rubric>(
    chat.rubric_id && grades.length > 0 ? `/api/v1/rubrics/${encodeURIComponent(chat.rubric_id)}` : null,
  );
  const grade = grades.find((one) => one.grade_id === chosen) ?? grades.at(-1) ?? null;
  const whole = useGet<WholeGrade>(grade?.state === "done" ? `/api/v1/grades/${grade.grade_id}` : null);
  const judging = grades.some((one) => one.state === "running");
  if (!grade && !ended) return null;
  return (
    <section class="practise-feedback" aria-labelledby="practise-feedback">
      <h2 id="practise-feedback">Feedback</h2>
      {grades.length > 1 && grade && (
        <Choice
          label="Grade"
          value={grade.grade_id}
          options={grades.map((one, index) => ({
            value: one.grade_id,
            label: nameOf(one, index, grades.length),
          }))}
          onChange={(id) => setChosen(id === grades.at(-1)?.grade_id ? null : id)}
        />
      )}
      {grade && (
        <GradeView
          key={grade.grade_id}
          grade={grade}
          rubric={rubric.data}
          whole={whole.data}
          onJump={onJump}
        />
      )}
      {!grade && <p>This conversation was ended without a grade.</p>}
      {ended && !judging && chat.rubric_id && (
        <Again attempt={attempt} chatId={chat.chat_id} first={!grade} onAsked={() => setChosen(null)} />
      )}
    </section>
  );
}

function nameOf(grade: Grade, index: number, count: number): string {
  const result =
    grade.state === "done"
      ? `${grade.score} of ${grade.total_points}`
      : grade.state === "running"
        ? "being made"
        : "failed";
  return `${index + 1} of ${count}: ${result}${index === count - 1 ? " (newest)" : ""}`;
}

interface AgainProps {
  attempt: Attempt;
  chatId: string;
  first: boolean;
  onAsked: () => void;
}

function Again({ attempt, chatId, first, onAsked }: AgainProps) {
  const [wish, setWish] = useState("");
  const ask = async () => {
    const wishes = wish.trim() === "" ? {} : { user_instructions: [wish] };
    await call("attempt_grade", { attempt_id: attempt.id, chat_id: chatId, ...wishes });
    onAsked();
  };
  return (
    <details class="practise-again" open={first}>
      <summary>{first ? "Ask for a grade" : "Grade again"}</summary>
      <TextField
        label="Wishes for the wording"
        hint="They change no points. You may leave this empty."
        value={wish}
        onInput={setWish}
        multiline
      />
      <Button onClick={ask}>{first ? "Grade it" : "Grade again"}</Button>
    </details>
  );
}
