import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { toast } from "../parts";
import { bytes } from "../parts/format";
import "./style.css";

const MAX_FILE = 64 * 1024 * 1024; // no server takes more

/** Returns the text of a file that was chosen or dropped; null when it cannot be read, which is told. */
export async function textOf(file: File): Promise<string | null> {
  if (file.size > MAX_FILE) {
    toast(`${file.name} has ${bytes(file.size)}; at most ${bytes(MAX_FILE)} are taken.`, "bad");
    return null;
  }
  try {
    const text = await file.text();
    toast(`${file.name} was read.`);
    return text;
  } catch {
    toast(`${file.name} cannot be read. Is it a folder, or gone?`, "bad"); // the browser says no more
    return null;
  }
}

interface Props {
  onText(text: string): void;
  children: ComponentChildren;
}

/** A part of the page on which a file can be dropped; elsewhere the browser would leave the page for it. */
export function Dropping({ onText, children }: Props) {
  const [isOver, setIsOver] = useState(false);
  const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;
  const take = async (file: File | undefined): Promise<void> => {
    const text = file ? await textOf(file) : null;
    if (text !== null) onText(text);
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: dropping is a third way; the box and the choice work by keyboard
    <div
      class={isOver ? "documents-drop documents-over" : "documents-drop"}
      onDragOver={(event) => {
        if (!hasFiles(event)) return;
        event.preventDefault();
        setIsOver(true);
      }}
      onDragLeave={() => setIsOver(false)}
      onDrop={(event) => {
        if (!hasFiles(event)) return;
        event.preventDefault();
        setIsOver(false);
        void take(event.dataTransfer?.files[0]);
      }}
    >
      {children}
    </div>
  );
}
