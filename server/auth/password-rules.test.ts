import { expect, it } from 'vitest';
import { passwordProblem } from './password-rules.ts';

it.each([
  ['123456789', 'too-short'],
  ['密码密码密码密码密', 'too-short'],
  ['zhang.san.9', 'is-username'],
  ['ZHANG.SAN.9', 'is-username'],
  ['9.nas.gnahz', 'is-username'],
  ['zhang.san.92026!', 'is-username'],
  ['1234567890', 'common'],
  ['0987654321', 'common'],
  ['password123', 'common'],
  ['Password@123', 'common'],
  ['P@ssw0rd2026', 'common'],
  ['qwertyuiop', 'common'],
  ['Admin@12345', 'common'],
  ['hikvision123', 'common'],
  ['aaaaaaaaaaaa', 'common'],
  ['1212121212', 'common'],
  ['abcdefghij', 'common'],
])('%s is refused: %s', (password, problem) => {
  expect(passwordProblem(password, 'zhang.san.9')).toBe(problem);
});

it.each([
  'correct-horse-battery',
  '保安值班室门口的老槐树',
  'k7mq-2xwd-9p',
  'weian-demo-2026-chengdu',
  'x'.repeat(190) + 'abcdefghij',
])('%.30s is fine', (password) => {
  expect(passwordProblem(password, 'zhang.san.9')).toBeUndefined();
});

it('counts characters, not UTF-16 units', () => {
  expect(passwordProblem('🏥🚑💊🩺🏥', 'x')).toBe('too-short');
});
