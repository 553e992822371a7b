// The questions of a chat: at their second of a video, which waits for the answer, or on their own.

import { useEffect, useRef, useState } from "preact/hooks";
import { Badge, Button } from "../parts";
import { clock } from "./timer";
import type { Answer, Media, Question } from "./types";

export interface QuizProps {
  videos: Media[];
  questions: Question[];
  responses: Record<string, Answer>;
  /** Without it the questions can only be read. */
  onAnswer?: ((questionId: string, optionIds: string[]) => Promise<void>) | undefined;
}

/** What the page's policy lets in; the rest is linked. */
export const shows = (url: string) => url.startsWith("/") || url.startsWith("https://");

export function Quiz({ videos, questions, responses, onAnswer }: QuizProps) {
  const bound = (video: Media) =>
    questions.filter((q) => q.video_id === video.id && q.at_seconds !== null && shows(video.url));
  const alone = questions.filter((q) => !videos.some((video) => bound(video).includes(q)));
  return (
    <div class="conv-quiz">
      {videos.map((video) => (
        <Film
          key={video.id}
          video={video}
          questions={bound(video)}
          responses={responses}
          onAnswer={onAnswer}
        />
      ))}
      {alone.map((question) => (
        <QuestionView
          key={question.id}
          question={question}
          answer={responses[question.id]}
          onAnswer={onAnswer}
        />
      ))}
    </div>
  );
}

interface FilmProps extends Omit<QuizProps, "videos"> {
  video: Media;
}

function Film({ video, questions, responses, onAnswer }: FilmProps) {
  const player = useRef<HTMLVideoElement>(null);
  const [waiting, setWaiting] = useState<string | null>(null);
  const [broken, setBroken] = useState(false);
  if (!shows(video.url)) return <Elsewhere video={video} />;
  const due = (at: number) =>
    questions.find((q) => responses[q.id] === undefined && (q.at_seconds ?? 0) <= at);
  const check = () => {
    const element = player.current;
    const question = element && onAnswer ? due(element.currentTime) : undefined;
    if (!element || !question) return;
    element.pause();
    if (element.currentTime > (question.at_seconds ?? 0) + 1) element.currentTime = question.at_seconds ?? 0;
    setWaiting(question.id);
  };
  const shown = questions.filter(
    (q) => responses[q.id] !== undefined || q.id === waiting || broken || !onAnswer,
  );
  const goOn = () => {
    setWaiting(null);
    void player.current?.play();
  };
  return (
    <figure class="conv-film">
      {/* biome-ignore lint/a11y/useMediaCaption: its author's description stands below it */}
      <video
        ref={player}
        src={video.url}
        controls
        preload="metadata"
        aria-label={video.name}
        onTimeUpdate={check}
        onError={() => setBroken(true)}
      />
      {broken && (
        <p class="conv-hint">
          The video cannot be played here.{" "}
          <a href={video.url} target="_blank" rel="noopener noreferrer">
            Open it by itself
          </a>
        </p>
      )}
      <figcaption>
        <strong>{video.name}</strong> {video.text}
      </figcaption>
      {shown.map((question) => (
        <QuestionView
          key={question.id}
          question={question}
          answer={responses[question.id]}
          onAnswer={onAnswer}
          onDone={question.id === waiting ? goOn : undefined}
          focus={question.id === waiting}
        />
      ))}
      {questions.length > shown.length && (
        <p class="conv-hint">
          {questions.length - shown.length === 1 ? "A question comes" : "Questions come"} while the video
          plays.
        </p>
      )}
    </figure>
  );
}

function Elsewhere({ video }: { video: Media }) {
  return (
    <p class="conv-film">
      <a href={video.url} target="_blank" rel="noopener noreferrer">
        {video.name} (opens on another site)
      </a>{" "}
      {video.text}
    </p>
  );
}

interface QuestionProps {
  question: Question;
  answer: Answer | undefined;
  onAnswer?: QuizProps["onAnswer"];
  onDone?: (() => void) | undefined;
  focus?: boolean;
}

function QuestionView({ question, answer, onAnswer, onDone, focus }: QuestionProps) {
  const [chosen, setChosen] = useState<string[]>(answer?.option_ids ?? []);
  const told = answer?.id;
  const group = useRef<HTMLFieldSetElement>(null);
  // an answer may come from another window
  useEffect(() => {
    if (answer) setChosen(answer.option_ids);
  }, [told]);
  useEffect(() => {
    if (focus) group.current?.focus();
  }, [focus]);
  const choose = (id: string, on: boolean) => {
    if (!question.allow_multiple) setChosen([id]);
    else setChosen(on ? [...chosen, id] : chosen.filter((other) => other !== id));
  };
  return (
    <fieldset class="conv-question" ref={group} tabIndex={-1}>
      <legend>
        {question.at_seconds !== null && <span class="conv-at">{clock(question.at_seconds)}</span>}{" "}
        {question.text}
      </legend>
      {question.allow_multiple && <p class="conv-hint">More than one may be right.</p>}
      {question.options.map((option) => (
        <label key={option.id} class="conv-option">
          <input
            type={question.allow_multiple ? "checkbox" : "radio"}
            name={`question-${question.id}`}
            checked={chosen.includes(option.id)}
            disabled={!onAnswer}
            onChange={(event) => choose(option.id, event.currentTarget.checked)}
          />
          <span>{option.text}</span>
        </label>
      ))}
      <div class="conv-row">
        {onAnswer && (
          <Button disabled={chosen.length === 0} onClick={() => onAnswer(question.id, chosen)}>
            {answer ? "Answer again" : "Answer"}
          </Button>
        )}
        <span aria-live="polite">
          {answer && (
            <Badge tone={answer.is_correct ? "good" : "bad"}>
              {answer.is_correct ? "Right" : "Not right"}
            </Badge>
          )}
        </span>
        {answer && onDone && (
          <Button kind="primary" onClick={onDone}>
            Go on with the video
          </Button>
        )}
      </div>
    </fieldset>
  );
}
