import { createHmac, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** Source: RFC 8489 5 (message structure) and 14 (attributes), RFC 8445 16.1 (ICE attributes). */
const bindingRequest = 0x0001;
const bindingSuccess = 0x0101;
const magicCookie = 0x2112a442;
const headerBytes = 20;
const attribute = {
  username: 0x0006,
  messageIntegrity: 0x0008,
  priority: 0x0024,
  useCandidate: 0x0025,
  fingerprint: 0x8028,
  iceControlling: 0x802a,
} as const;
const fingerprintMask = 0x5354554e;
// A host candidate of the highest preference, component 1 (RFC 8445 5.1.2).
const hostPriority = 0x7effffff;

/** An ICE connectivity check ready to send, and how to know its answer. */
export interface BindingRequest {
  readonly message: Buffer;
  /** True for the success response to this very request; false for anything else, whatever its bytes. */
  isAnsweredBy(datagram: Buffer): boolean;
}

/**
 * An ICE connectivity check of a controlling peer that nominates the pair at once. May be sent repeatedly as it is.
 * @param options.username the peer's ufrag, a colon, our ufrag
 * @param options.password the peer's ICE password
 */
export function createBindingRequest(options: { username: string; password: string }): BindingRequest {
  const transactionId = randomBytes(12);
  const priority = Buffer.alloc(4);
  priority.writeUInt32BE(hostPriority);
  const body = [
    encodeAttribute(attribute.username, Buffer.from(options.username, 'utf8')),
    encodeAttribute(attribute.priority, priority),
    encodeAttribute(attribute.iceControlling, randomBytes(8)),
    encodeAttribute(attribute.useCandidate, Buffer.alloc(0)),
  ];
  const header = Buffer.alloc(headerBytes);
  header.writeUInt16BE(bindingRequest, 0);
  header.writeUInt32BE(magicCookie, 4);
  transactionId.copy(header, 8);
  const unsigned = Buffer.concat([header, ...body]);
  const integrity = encodeAttribute(attribute.messageIntegrity, messageIntegrity(unsigned, options.password));
  const signed = Buffer.concat([unsigned, integrity]);
  const message = Buffer.concat([signed, encodeAttribute(attribute.fingerprint, fingerprint(signed))]);
  // The length covers everything behind the header; the two functions above have each set their own in a copy.
  message.writeUInt16BE(message.length - headerBytes, 2);
  return {
    message,
    isAnsweredBy: (datagram) =>
      datagram.length >= headerBytes &&
      datagram.readUInt16BE(0) === bindingSuccess &&
      datagram.readUInt32BE(4) === magicCookie &&
      datagram.subarray(8, headerBytes).equals(transactionId),
  };
}

/**
 * The value of the MESSAGE-INTEGRITY attribute that follows `message` (short-term credentials).
 * Source: RFC 8489 14.5; checked with the vectors of RFC 5769.
 * @param message from the header to the last attribute before MESSAGE-INTEGRITY; not changed
 */
export function messageIntegrity(message: Buffer, password: string): Buffer {
  return createHmac('sha1', password).update(withLength(message, 24)).digest();
}

/**
 * The value of the FINGERPRINT attribute that follows `message`.
 * Source: RFC 8489 14.7; checked with the vectors of RFC 5769.
 * @param message from the header to the last attribute before FINGERPRINT; not changed
 */
export function fingerprint(message: Buffer): Buffer {
  const value = Buffer.alloc(4);
  value.writeUInt32BE((crc32(withLength(message, 8)) ^ fingerprintMask) >>> 0);
  return value;
}

/** A copy whose length field counts the attribute that is about to be added, as both checks want it. */
function withLength(message: Buffer, addedBytes: number): Buffer {
  const copy = Buffer.from(message);
  copy.writeUInt16BE(message.length - headerBytes + addedBytes, 2);
  return copy;
}

function encodeAttribute(type: number, value: Buffer): Buffer {
  const paddedBytes = Math.ceil(value.length / 4) * 4;
  const encoded = Buffer.alloc(4 + paddedBytes);
  encoded.writeUInt16BE(type, 0);
  encoded.writeUInt16BE(value.length, 2);
  value.copy(encoded, 4);
  return encoded;
}
