import { useEffect } from "preact/hooks";
import { decline, invitation, me, myId, signIn } from "./identity";
import { Button, Dialog } from "./parts";
import { shortId } from "./parts/format";
import { line } from "./socket";

/** Asks whoever is signed in whether a link may sign in somebody else. */
export function Invitation() {
  const next = invitation.value;
  const refused = line.value === "refused"; // nobody is here who could be asked
  useEffect(() => {
    if (next !== null && refused) signIn(next);
  }, [next, refused]);
  return (
    <Dialog title="Sign in by this link?" open={next !== null && !refused} onClose={decline}>
      <p>
        You are signed in{who()}. Sign in as the link's person instead? What you have typed and not sent or
        stored is then forgotten.
      </p>
      <div class="actions">
        <Button onClick={decline}>Stay signed in</Button>
        <Button kind="primary" onClick={() => signIn(next)}>
          Sign in by the link
        </Button>
      </div>
    </Dialog>
  );
}

function who(): string {
  const id = myId();
  return me.value && id ? ` as ${me.value.role} ${shortId(id)}` : "";
}
