import type { ComponentChildren } from "preact";

export interface LinkProps {
  to: string;
  title?: string | undefined;
  class?: string | undefined;
  current?: boolean | undefined;
  children?: ComponentChildren;
}

export function Link({ to, title, class: name, current, children }: LinkProps) {
  return (
    <a href={to} title={title} class={name} aria-current={current ? "page" : undefined}>
      {children}
    </a>
  );
}
