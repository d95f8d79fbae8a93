import { expect, it } from 'vitest';
import { sortRows, type Column } from './table.ts';

interface Row {
  name: string;
  size: number | null;
}
const columns: Column<Row>[] = [
  { id: 'name', title: () => 'Name', sortBy: (row) => row.name },
  { id: 'size', title: () => 'Size', sortBy: (row) => row.size },
  { id: 'plain', title: () => 'Plain' },
];
const rows: Row[] = [
  { name: 'cam 10', size: null },
  { name: 'cam 2', size: 5 },
  { name: 'cam 1', size: 7 },
];
const names = (sorted: Row[]) => sorted.map((row) => row.name);

it('sorts by numbers inside names as people count', () => {
  expect(names(sortRows(rows, columns, { column: 'name', isDescending: false }))).toEqual([
    'cam 1',
    'cam 2',
    'cam 10',
  ]);
});

it('keeps unknown values last in both directions', () => {
  expect(names(sortRows(rows, columns, { column: 'size', isDescending: false }))).toEqual([
    'cam 2',
    'cam 1',
    'cam 10',
  ]);
  expect(names(sortRows(rows, columns, { column: 'size', isDescending: true }))).toEqual([
    'cam 1',
    'cam 2',
    'cam 10',
  ]);
});

it('leaves the order alone without a sorting or for a column that does not sort', () => {
  expect(names(sortRows(rows, columns, undefined))).toEqual(names(rows));
  expect(names(sortRows(rows, columns, { column: 'plain', isDescending: true }))).toEqual(names(rows));
});
