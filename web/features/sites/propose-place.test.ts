import { expect, it } from 'vitest';
import type { Place } from '#api/sites/schema.ts';
import { Fleet } from '../devices/fleet.ts';
import { proposePlace } from './propose-place.ts';

const place = (id: string, parentId: string | null, kind: Place['kind'], name: string): Place => ({
  id,
  parentId,
  kind,
  name,
  nameEn: null,
  sort: 0,
  outline: null,
  plan: null,
});
const fleet = new Fleet(
  [],
  [
    place('site', null, 'campus', '天府和安医院'),
    place('mz', 'site', 'building', '门诊楼'),
    place('mz1', 'mz', 'floor', '门诊楼一层'),
    place('mz1-drug', 'mz1', 'area', '门诊药房'),
    place('mz1-lift', 'mz1', 'area', '电梯厅'),
    place('zy', 'site', 'building', '住院楼'),
    place('zy1', 'zy', 'floor', '住院楼一层'),
    place('zy1-lift', 'zy1', 'area', '电梯厅'),
    place('zy3', 'zy', 'floor', '住院楼三层'),
    place('zy3-lift', 'zy3', 'area', '电梯厅'),
  ],
);

it.each([
  ['门诊一层 药房', 'mz1-drug'],
  ['门诊一层 电梯厅', 'mz1-lift'],
  ['住院三层 电梯厅', 'zy3-lift'],
  ['住院楼 硬盘录像机', 'zy'],
])('proposes for %s the place %s', (name, id) => {
  expect(proposePlace(fleet, [null, name])).toBe(id);
});

it('proposes nothing where several places fit equally well, or none does', () => {
  expect(proposePlace(fleet, ['电梯厅'])).toBe('');
  expect(proposePlace(fleet, ['IPC-2240'])).toBe('');
  expect(proposePlace(fleet, [null, null])).toBe('');
});
