import { type ComponentChildren, render } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { whenPersonChanges } from "../personal";
import { Button } from "./Button";

export interface DialogProps {
  title: string;
  open: boolean;
  onClose: () => void;
  children?: ComponentChildren;
}

/** A window above the page: the browser keeps the focus in it, Escape and a click beside it close it. */
export function Dialog({ title, open, onClose, children }: DialogProps) {
  return open ? <OpenDialog title={title} onClose={onClose} children={children} /> : null;
}

function OpenDialog({ title, onClose, children }: Omit<DialogProps, "open">) {
  const element = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const before = document.activeElement;
    const dialog = element.current;
    dialog?.showModal();
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={element}
      class="dialog"
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault(); // whoever opened it closes it
        onClose();
      }}
      onMouseDown={(event) => event.target === element.current && onClose()}
    >
      <div class="dialog-inner">
        <div class="dialog-head">
          <h2 id={id}>{title}</h2>
          <button type="button" class="dialog-close" aria-label="Close" onClick={onClose}>
            ×
          </button>
        </div>
        {children}
      </div>
    </dialog>
  );
}

/** Asks before something that cannot be undone; `verb` is what the button says. Whoever comes next is not asked. */
export function confirm(title: string, text: string, verb: string): Promise<boolean> {
  const place = document.createElement("div");
  document.body.append(place);
  return new Promise((resolve) => {
    const stop = whenPersonChanges(() => answer(false));
    const answer = (yes: boolean) => {
      stop();
      render(null, place);
      place.remove();
      resolve(yes);
    };
    render(
      <Dialog title={title} open onClose={() => answer(false)}>
        <p>{text}</p>
        <div class="actions">
          <Button onClick={() => answer(false)}>Cancel</Button>
          <Button kind="danger" onClick={() => answer(true)}>
            {verb}
          </Button>
        </div>
      </Dialog>,
      place,
    );
  });
}
