import { Client } from 'pg';
import { expect, test } from 'vitest';
import { startPostgres } from '../factories/postgres.ts';

test('a throw-away PostgreSQL keeps rows, stands beside another, and stops with a client connected', async () => {
  const [first, second] = await Promise.all([startPostgres(), startPostgres()]);
  try {
    expect(first.url).not.toBe(second.url);
    const client = new Client({ connectionString: first.url });
    // The server's shutdown ends this connection; without a listener that would be an unhandled error.
    const lost = new Promise<Error>((resolve) => client.on('error', resolve));
    await client.connect();
    await client.query('CREATE TABLE room (name text)');
    await client.query(`INSERT INTO room VALUES ('急诊')`);
    expect((await client.query('SELECT name FROM room')).rows).toEqual([{ name: '急诊' }]);
    await first.close();
    expect((await lost).message).toContain('terminat');
    const late = new Client({ connectionString: first.url });
    await expect(late.connect()).rejects.toThrow('ECONNREFUSED');
  } finally {
    await Promise.all([first.close(), second.close()]);
  }
});
