/** One column of a DataTable. */
export interface Column<R> {
  readonly id: string;
  readonly title: () => string;
  /** The cell as text; a snippet named after the column in `cells` is drawn instead where there is one. */
  readonly text?: (row: R) => string;
  /** What the column sorts by; without it, it does not sort. Null (unknown) always comes last. */
  readonly sortBy?: (row: R) => string | number | null;
  readonly isNumeric?: boolean;
  /** May break into lines, for long words. */
  readonly isWide?: boolean;
  /** The heading of the card a row becomes on a phone. */
  readonly isTitle?: boolean;
}

export interface Sorting {
  readonly column: string;
  readonly isDescending: boolean;
}

const collator = new Intl.Collator('zh-CN', { numeric: true });

/** `rows` in the order asked for, as a new array; rows that are equal keep their order. */
export function sortRows<R>(
  rows: readonly R[],
  columns: readonly Column<R>[],
  sorting: Sorting | undefined,
): R[] {
  const sortBy = columns.find((column) => column.id === sorting?.column)?.sortBy;
  if (!sorting || !sortBy) return [...rows];
  const sign = sorting.isDescending ? -1 : 1;
  return rows.toSorted((left, right) => {
    const a = sortBy(left);
    const b = sortBy(right);
    if (a === null || b === null) return Number(a === null) - Number(b === null);
    if (typeof a === 'number' && typeof b === 'number') return sign * (a - b);
    return sign * collator.compare(String(a), String(b));
  });
}
