import { hash, verify } from '@node-rs/argon2';
import { AppError } from '#api/errors.ts';

/** OWASP's first choice for argon2id (the package's default kind): 19 MiB, two passes, one lane; about 25 ms on a small server. */
const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

export interface PasswordHasher {
  /** @returns an argon2id hash with its own salt and cost, as a PHC string */
  hash(password: string): Promise<string>;
  /** Takes as long for `undefined` (no such person) as for a real hash, and is then false. */
  verify(passwordHash: string | undefined, password: string): Promise<boolean>;
}

/**
 * Hashes passwords, few at a time: each takes 19 MiB and one of the four threads that files and SQLite need as well.
 * @throws AppError unavailable, from either method, when too many wait
 */
export function createPasswordHasher({ concurrency = 2, maxWaiting = 50 } = {}): PasswordHasher {
  const waiting: (() => void)[] = [];
  let running = 0;
  let decoy: Promise<string> | undefined;

  async function inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (running >= concurrency) {
      if (waiting.length >= maxWaiting) throw new AppError('unavailable');
      await new Promise<void>((resolve) => waiting.push(resolve)); // whoever wakes us hands over its place
    } else {
      running += 1;
    }
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  }

  return {
    hash: (password) => inTurn(() => hash(password, cost)),
    async verify(passwordHash, password) {
      decoy ??= inTurn(() => hash('nobody has this password', cost));
      const against = passwordHash ?? (await decoy);
      const isRight = await inTurn(() => verify(against, password));
      return passwordHash !== undefined && isRight;
    },
  };
}
