import type { ComponentChildren } from "preact";

export interface Column<R> {
  key: string;
  title: string;
  align?: "left" | "right" | "center" | undefined;
  render?: ((row: R) => ComponentChildren) | undefined;
}
export interface TableProps<R> {
  columns: readonly Column<R>[];
  rows: readonly R[];
  keyOf: (row: R) => string | number;
  caption: string;
  empty?: ComponentChildren;
}

/** A table that scrolls sideways inside itself where it is too wide. */
export function Table<R>({ columns, rows, keyOf, caption, empty }: TableProps<R>) {
  if (rows.length === 0 && empty !== undefined) return <>{empty}</>;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section class="table-frame" tabIndex={0} aria-label={caption}>
      <table>
        <caption>{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column.key} scope="col" class={column.align}>
                {column.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={keyOf(row)}>
              {columns.map((column) => (
                <td key={column.key} class={column.align}>
                  {column.render ? column.render(row) : plain(row, column.key)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function plain(row: unknown, key: string): string {
  const value = (row as Record<string, unknown>)[key];
  return value === null || value === undefined ? "–" : String(value);
}
