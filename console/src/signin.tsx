import { useState } from "preact/hooks";
import { signIn, signOut, token } from "./identity";
import { Button, TextField } from "./parts";
import { line, refusal } from "./socket";

/** Asks for a token, and says why the last one was not accepted. */
export function SignIn({ onDone }: { onDone?: () => void }) {
  const [text, setText] = useState("");
  const refused = line.value === "refused" ? refusal.value : null;

  function submitted(event: SubmitEvent): void {
    event.preventDefault();
    if (text.trim() === "") return;
    signIn(text);
    setText("");
    onDone?.();
  }
  return (
    <form class="signin" onSubmit={submitted}>
      {refused && (
        <p class="failure" role="alert">
          {refused}
        </p>
      )}
      <TextField
        label="Token"
        type="password"
        autocomplete="off"
        value={text}
        onInput={setText}
        hint={
          <>
            Whoever runs this server can make one with <code>python -m server token</code>. It stays in this
            browser until you sign out.
          </>
        }
      />
      <div class="actions">
        <Button kind="primary" type="submit">
          Sign in
        </Button>
        {refused && token.value !== null && <Button onClick={signOut}>Go on without a token</Button>}
      </div>
    </form>
  );
}
