import { useEffect, useState } from "preact/hooks";
import { may, me, signOut, token } from "./identity";
import { Button, Dialog, Link } from "./parts";
import { shortId } from "./parts/format";
import { href, route } from "./router";
import { SignIn } from "./signin";
import { line } from "./socket";
import { switchTheme, theme } from "./theme";
import { VIEWS } from "./views";

export function Header() {
  return (
    <header class="top">
      <div class="top-bar">
        <Link to="#/" class="brand">
          Greenroom
        </Link>
        <Dot />
        <span class="top-space" />
        <Who />
        <ThemeSwitch />
      </div>
      <Views />
    </header>
  );
}

function Views() {
  const open = VIEWS.filter((view) => may(...view.roles));
  const current = route.value.view || open[0]?.name;
  useEffect(() => {
    document.querySelector(".views [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [current]);
  if (line.value === "refused" || open.length === 0) return null;
  return (
    <nav class="views" aria-label="Views">
      {open.map(({ name, title }) => (
        <Link key={name} to={href(name)} current={name === current}>
          {title}
        </Link>
      ))}
    </nav>
  );
}

/** The whole notice of a broken connection: what is on the page stays usable. */
function Dot() {
  const away = line.value === "away";
  const text = away ? "The connection is away; it comes back by itself" : "";
  return (
    <span role="status" class="dot-place">
      {away && <span class="dot" role="img" aria-label={text} title={text} />}
    </span>
  );
}

function Who() {
  const [asking, setAsking] = useState(false);
  const who = me.value;
  const id = who?.profile_id ?? who?.guest_id ?? null;
  return (
    <>
      {who && (
        <span class="who" title={id ?? ""}>
          {who.role}
          <span class="who-id"> {id && shortId(id)}</span>
        </span>
      )}
      {line.value !== "refused" &&
        (token.value !== null ? (
          <Button onClick={signOut}>Sign out</Button>
        ) : (
          <Button onClick={() => setAsking(true)}>Sign in</Button>
        ))}
      <Dialog title="Sign in" open={asking} onClose={() => setAsking(false)}>
        <SignIn onDone={() => setAsking(false)} />
      </Dialog>
    </>
  );
}

function ThemeSwitch() {
  const dark = theme.value === "dark";
  return (
    <button
      type="button"
      class="theme-switch"
      role="switch"
      aria-checked={dark}
      aria-label="Dark colours"
      title={dark ? "Use light colours" : "Use dark colours"}
      onClick={switchTheme}
    >
      <svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true">
        <circle cx="12" cy="12" r="8" fill="none" stroke="currentColor" stroke-width="2" />
        <path d="M12 4a8 8 0 0 1 0 16z" fill="currentColor" />
      </svg>
    </button>
  );
}
