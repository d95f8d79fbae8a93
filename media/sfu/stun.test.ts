import { expect, test } from 'vitest';
import { createBindingRequest, fingerprint, messageIntegrity } from './stun.ts';

// RFC 5769 2.1, sample request: software "STUN test client", username "evtj:h6vY".
const sample = Buffer.from(
  '000100582112a442b7e7a701bc34d686fa87dfae' +
    '802200105354554e207465737420636c69656e74' +
    '002400046e0001ff' +
    '80290008932ff9b151263b36' +
    '000600096576746a3a68367659202020' +
    '000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2' +
    '80280004e57a3bcf',
  'hex',
);
const samplePassword = 'VOkJxbRl1RmTxUk/WvJxBt';
const integrityAt = sample.length - 8 - 24;
const fingerprintAt = sample.length - 8;

test('message integrity equals the vector of RFC 5769', () => {
  const value = messageIntegrity(sample.subarray(0, integrityAt), samplePassword);
  expect(value.toString('hex')).toBe(sample.subarray(integrityAt + 4, fingerprintAt).toString('hex'));
});

test('fingerprint equals the vector of RFC 5769', () => {
  expect(fingerprint(sample.subarray(0, fingerprintAt)).toString('hex')).toBe('e57a3bcf');
});

test('a request ends in integrity and fingerprint over its own bytes', () => {
  const { message } = createBindingRequest({ username: 'abcd:efghi', password: 'secret' });
  expect(message.readUInt16BE(2)).toBe(message.length - 20);
  expect(message.length % 4).toBe(0);
  const beforeIntegrity = message.subarray(0, message.length - 32);
  expect(message.subarray(message.length - 28, message.length - 8)).toEqual(
    messageIntegrity(beforeIntegrity, 'secret'),
  );
  expect(message.subarray(message.length - 4)).toEqual(fingerprint(message.subarray(0, message.length - 8)));
});

test('only the success response of the same transaction answers a request', () => {
  const request = createBindingRequest({ username: 'a:b', password: 'c' });
  const answer = Buffer.from(request.message.subarray(0, 20));
  expect(request.isAnsweredBy(answer)).toBe(false); // Still the request's own type.
  answer.writeUInt16BE(0x0101, 0);
  expect(request.isAnsweredBy(answer)).toBe(true);
  expect(createBindingRequest({ username: 'a:b', password: 'c' }).isAnsweredBy(answer)).toBe(false);
  expect(request.isAnsweredBy(answer.subarray(0, 19))).toBe(false);
});
