import { expect, it } from 'vitest';
import { cidrPattern } from '#api/settings/schema.ts';
import { parseNetworks } from './networks.ts';

it('reads one block a line, or several with commas of either width', () => {
  expect(parseNetworks('10.20.0.0/16\n 10.21.8.0/22 ,192.168.1.0/24\uff0c10.20.0.0/16\n\n')).toEqual({
    networks: ['10.20.0.0/16', '10.21.8.0/22', '192.168.1.0/24'],
    badLine: undefined,
  });
  expect(parseNetworks(' \n')).toEqual({ networks: [], badLine: undefined });
});

it.each(['10.20.0.0', '10.20.0.0/33', '10.20.0/16', '300.1.1.0/24', 'fe80::/10', '10.20.0.0/16 x'])(
  'names the line "%s" as no block',
  (line) => {
    expect(parseNetworks(`10.0.0.0/8\n${line}`).badLine).toBe(line);
  },
);

it('agrees with the schema of the server', () => {
  const server = new RegExp(cidrPattern);
  for (const line of [
    '0.0.0.0/0',
    '255.255.255.255/32',
    '10.20.0.0/16',
    '10.20.0.0/33',
    '01.2.3.4/8',
    '1.2.3.4',
  ])
    expect(parseNetworks(line).badLine === undefined, line).toBe(server.test(line));
});
