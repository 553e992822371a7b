import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { route } from "../router";
import { Link } from "./Link";

export interface PageProps {
  title: string;
  actions?: ComponentChildren;
  crumbs?: readonly { label: string; to: string }[] | undefined;
  children?: ComponentChildren;
}

let shown = ""; // the address whose heading had the focus last

/** A page under its heading, which gets the focus when one has come here from another page. */
export function Page({ title, actions, crumbs = [], children }: PageProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  const { view, path } = route.value;
  const address = [view, ...path].join("/");
  useEffect(() => {
    document.title = `${title} · Greenroom`;
  }, [title]);
  useEffect(() => {
    const first = shown === "";
    if (!first && shown !== address) heading.current?.focus();
    shown = address;
  }, [address]);
  return (
    <article class="page">
      {crumbs.length > 0 && (
        <nav class="crumbs" aria-label="Where this is">
          {crumbs.map(({ label, to }) => (
            <Link key={to} to={to}>
              {label}
            </Link>
          ))}
        </nav>
      )}
      <header class="page-head">
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        {actions && <div class="actions">{actions}</div>}
      </header>
      {children}
    </article>
  );
}
