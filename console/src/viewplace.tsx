/** Where a view is shown: loaded when it is opened, and kept from taking the page down when it breaks. */

import { Component, type ComponentChildren, type ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Button, Failure } from "./parts";
import { Busy } from "./parts/states";
import { route } from "./router";
import type { View } from "./views";

export function ViewPlace({ view }: { view: View }) {
  const [loaded, setLoaded] = useState<{ default: ComponentType } | "failed" | null>(null);
  useEffect(() => {
    let here = true;
    view.load().then(
      (module) => here && setLoaded(module),
      () => here && setLoaded("failed"),
    );
    return () => {
      here = false;
    };
  }, [view]);
  if (loaded === null) return <Busy label={`Opening ${view.title}`} />;
  if (loaded === "failed") return <Outdated title={view.title} />;
  const Shown = loaded.default;
  return (
    <Boundary at={[route.value.view, ...route.value.path].join("/")}>
      <Shown />
    </Boundary>
  );
}

/** A part of the page could not be loaded: mostly because the server has a newer page by now. */
function Outdated({ title }: { title: string }) {
  return (
    <div class="failure" role="alert">
      <p>{title} could not be loaded. The server may have a newer version of this page.</p>
      <Button kind="primary" onClick={() => location.reload()}>
        Reload the page
      </Button>
    </div>
  );
}

class Boundary extends Component<
  { at: string; children: ComponentChildren },
  { error: unknown; at: string }
> {
  override state = { error: null as unknown, at: "" };

  override componentDidCatch(error: unknown): void {
    console.error(error); // for whoever looks for the cause
    this.setState({ error, at: this.props.at });
  }

  render() {
    const { error, at } = this.state;
    if (error === null || at !== this.props.at) return this.props.children; // another address: try that one
    return <Failure error={error} retry={() => this.setState({ error: null })} />;
  }
}
