const minLength = 10;
const minDifferent = 4;

/** Long enough to pass the length rule and still among the first that anybody tries; compared without case, digits at the end ignored. */
const common = new Set([
  'password',
  'passw0rd',
  'p@ssword',
  'p@ssw0rd',
  'passwordpassword',
  'adminadmin',
  'administrator',
  'admin@',
  'admin!@#',
  'administrator@',
  'qwertyuiop',
  'qwerty',
  'qwer',
  'asdfghjkl',
  'asdfghjkl;',
  'zxcvbnm',
  'iloveyou',
  'welcome',
  'changeme',
  'letmein',
  'security',
  'hospital',
  'yiyuan',
  'jiankong',
  'woaini',
  'a',
  'aa',
  'abc',
  'abcd',
  'qq',
  'hikvision',
  'dahua',
  'hik',
  'weian',
  'weianweian',
  'root',
  'test',
  'guest',
  'user',
  'admin',
  '1q2w3e4r5t',
  '1qaz2wsx3edc',
  'qazwsxedc',
  '!qaz2wsx3edc',
]);
/** A password that is one run of these, in either direction, is a walk along the keyboard. */
const runs = ['0123456789012345678901234567890', 'abcdefghijklmnopqrstuvwxyz', 'qwertyuiopasdfghjklzxcvbnm'];

/**
 * Why `password` may not be used for `username`, or undefined if it may. Length counts most (NIST SP 800-63B 5.1.1.2): no rule about kinds
 * of characters, since those only make people write passwords down.
 */
export function passwordProblem(
  password: string,
  username: string,
): 'too-short' | 'is-username' | 'common' | undefined {
  if ([...password].length < minLength) return 'too-short';
  const lower = password.toLowerCase();
  const name = username.toLowerCase();
  const letters = lower.replace(/[\d!@#.]+$/, '');
  const afterName = lower.startsWith(name) ? lower.slice(name.length) : undefined;
  if (afterName !== undefined && /^[\d!@#.]*$/.test(afterName)) return 'is-username';
  if (lower === [...name].toReversed().join('')) return 'is-username';
  if (new Set(lower).size < minDifferent) return 'common';
  const reversed = [...lower].toReversed().join('');
  if (runs.some((run) => run.includes(lower) || run.includes(reversed))) return 'common';
  return common.has(lower) || common.has(lower.replace(/\d+$/, '')) || common.has(letters)
    ? 'common'
    : undefined;
}
