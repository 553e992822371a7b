/** What two have changed at once: both versions, of which one is chosen. */

import { Button } from "../../parts";
import { words } from "./types";

const OTHERS = {
  draft: { title: "In the draft", keep: "Keep the draft's" },
  content: { title: "From somebody else", keep: "Keep theirs" },
};

interface Props {
  mine: unknown;
  theirs: unknown;
  /** Where the other version is. */
  place: keyof typeof OTHERS;
  choose(whose: "mine" | "theirs"): void;
}

/** Show both versions, and let one choose; until then neither is lost. */
export function Clash({ mine, theirs, place, choose }: Props) {
  return (
    <div class="author-clash" role="alert">
      <p>This was changed elsewhere while you typed. Nothing is lost; choose which one stays.</p>
      <div class="author-versions">
        <Version title="Yours" value={mine}>
          <Button onClick={() => choose("mine")}>Keep mine</Button>
        </Version>
        <Version title={OTHERS[place].title} value={theirs}>
          <Button onClick={() => choose("theirs")}>{OTHERS[place].keep}</Button>
        </Version>
      </div>
    </div>
  );
}

interface VersionProps {
  title: string;
  value: unknown;
  children: preact.ComponentChildren;
}

function Version({ title, value, children }: VersionProps) {
  return (
    <figure class="author-version">
      <figcaption>{title}</figcaption>
      <Shown value={value} />
      {children}
    </figure>
  );
}

/** Show a value to be read: texts as they are, a few values as lines, everything else as JSON. */
export function Shown({ value }: { value: unknown }) {
  if (value === null || value === undefined) return <p>Taken away</p>;
  return <pre class="author-value">{textOf(value)}</pre>;
}

function textOf(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  const entries = Object.entries(value);
  if (entries.some(([, one]) => typeof one === "object")) return JSON.stringify(value, null, 2);
  const [only] = entries;
  if (entries.length === 1 && typeof only?.[1] === "string") return only[1];
  return entries.map(([name, one]) => `${words(name)}: ${one}`).join("\n");
}
