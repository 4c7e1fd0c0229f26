import type { ReactNode } from 'react';

export interface Column<T> {
  readonly name: string;
  readonly cell: (row: T) => ReactNode;
  readonly num?: boolean;
  /** Left out below 760 px. */
  readonly wide?: boolean;
}

interface Props<T> {
  readonly label: string;
  readonly rows: readonly T[];
  readonly keyOf: (row: T) => string;
  readonly columns: readonly Column<T>[];
}

const classes = <T,>({ num, wide }: Column<T>) => [num && 'num', wide && 'wide-only'].filter(Boolean).join(' ');

/** A real table that scrolls inside its own box, so that the page never goes sideways. */
export function Table<T>({ label, rows, keyOf, columns }: Props<T>) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard (WCAG 2.1.1)
    <section className="table-box" aria-label={label} tabIndex={0}>
      <table className="table">
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column.name} scope="col" className={classes(column)}>
                {column.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={keyOf(row)}>
              {columns.map((column) => (
                <td key={column.name} className={classes(column)}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
