/** The page's frame: the header, the view that the address names, notices. */

import { Header } from "./header";
import { may, me, token } from "./identity";
import { Invitation } from "./invitation";
import { Empty, Page } from "./parts";
import { Busy } from "./parts/states";
import { Toasts } from "./parts/toast";
import { route } from "./router";
import { SignIn } from "./signin";
import { line, refusal } from "./socket";
import { ViewPlace } from "./viewplace";
import { VIEWS } from "./views";

export function App() {
  return (
    <>
      <button type="button" class="skip" onClick={skip}>
        Go to the content
      </button>
      <Header />
      <main id="main" tabIndex={-1}>
        <Main />
      </main>
      <Invitation />
      <Toasts />
    </>
  );
}

function Main() {
  if (line.value === "refused") {
    return (
      <Page title="Sign in">
        <SignIn />
      </Page>
    );
  }
  if (me.value === null) return <Busy label={refusal.value ?? "Connecting"} />;
  const open = VIEWS.filter((view) => may(...view.roles));
  const wanted = route.value.view;
  const view = wanted === "" ? open[0] : open.find(({ name }) => name === wanted);
  if (view) return <ViewPlace key={`${view.name} ${token.value}`} view={view} />;
  if (open.length === 0)
    return <Nothing title="There is no view here">This server was built without any view for you.</Nothing>;
  const known = VIEWS.some(({ name }) => name === wanted);
  return known ? (
    <Nothing title="Not for this role">Sign in as somebody who may open this view.</Nothing>
  ) : (
    <Nothing title="There is nothing at this address">Choose a view above.</Nothing>
  );
}

function Nothing({ title, children }: { title: string; children: string }) {
  return (
    <Page title="Greenroom">
      <Empty title={title}>{children}</Empty>
    </Page>
  );
}

function skip(): void {
  document.getElementById("main")?.focus();
}
