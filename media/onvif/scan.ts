import { isMediaError, MediaError } from '#media/errors.ts';
import type { Log } from '#media/log.ts';
import { countAddresses, expandRanges, parseRange } from './cidr.ts';
import { readClock, type DeviceClock } from './clock.ts';
import { createSoapClient } from './soap.ts';

export interface ScanOptions {
  /** `10.1.2.0/24` or `10.1.2.10-10.1.2.40`; at most 4096 addresses together. */
  ranges: readonly string[];
  /** 1 to 8 of them. 443 and 8443 are asked over TLS. */
  ports: readonly number[];
  /** Requests at a time, 1 to 128. Default 32. */
  concurrency?: number;
  /** For each address and port. Default 1500. */
  perHostTimeoutMs?: number;
  signal?: AbortSignal;
  /** After each address and port. */
  onProgress?: (progress: { done: number; total: number; found: number }) => void;
  onFound?: (device: ScannedDevice) => void;
  log: Log;
}

/** An ONVIF device found by asking its usual address; no credentials were sent. */
export interface ScannedDevice {
  address: string;
  port: number;
  xaddr: string;
  /** Undefined if it answers as an ONVIF device but tells its time only after a log-in. */
  clock?: DeviceClock;
  tlsFingerprint?: string;
}

const MAX_HOSTS = 4096;
const TLS_PORTS = new Set([443, 8443]);

/**
 * Asks every address of the ranges, at each port, for the time as an ONVIF device, for networks that multicast does not reach. Stops
 * early when `signal` is aborted and returns what was found, ordered by address and port. It makes one connection for each address and
 * port, which intrusion detection may notice: ask the person first.
 * @throws MediaError 'rejected' for a range that is none or too large, a port outside 1-65535, a limit out of bounds
 */
export async function scanRange(options: ScanOptions): Promise<ScannedDevice[]> {
  const { ports, concurrency = 32, perHostTimeoutMs = 1_500, signal, log } = options;
  const ranges = options.ranges.map(parseRange);
  const hosts = countAddresses(ranges);
  if (hosts > MAX_HOSTS) {
    throw new MediaError(
      'rejected',
      `the ranges hold ${hosts} addresses; at most ${MAX_HOSTS} are scanned at a time`,
      { hosts, max: MAX_HOSTS },
    );
  }
  if (
    ports.length < 1 ||
    ports.length > 8 ||
    !ports.every((port) => Number.isInteger(port) && port > 0 && port < 65_536)
  ) {
    throw new MediaError('rejected', 'a scan takes 1 to 8 ports between 1 and 65535');
  }
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > 128) {
    throw new MediaError('rejected', 'a scan asks 1 to 128 addresses at a time');
  }
  const isStopped = (): boolean => signal?.aborted === true;
  const targets = expandRanges(ranges).flatMap((address) =>
    [...new Set(ports)].map((port) => ({ address, port })),
  );
  const found: { order: number; device: ScannedDevice }[] = [];
  let next = 0;
  let done = 0;

  async function work(): Promise<void> {
    while (next < targets.length && !isStopped()) {
      const order = next++;
      const target = targets[order]!;
      const device = await recognise(target.address, target.port, perHostTimeoutMs, signal, log);
      if (device) {
        found.push({ order, device });
        options.onFound?.(device);
      }
      done += 1;
      options.onProgress?.({ done, total: targets.length, found: found.length });
    }
  }

  await Promise.all(Array.from({ length: Math.min(concurrency, targets.length) }, work));
  return found.toSorted((a, b) => a.order - b.order).map(({ device }) => device);
}

/** Whoever answers SOAP to an ONVIF question is a device, even if the answer is a refusal. */
async function recognise(
  address: string,
  port: number,
  deadlineMs: number,
  signal: AbortSignal | undefined,
  log: Log,
): Promise<ScannedDevice | undefined> {
  const isTls = TLS_PORTS.has(port);
  const isUsual = port === (isTls ? 443 : 80);
  const xaddr = `${isTls ? 'https' : 'http'}://${address}${isUsual ? '' : `:${port}`}/onvif/device_service`;
  const soap = createSoapClient({ deadlineMs, maxBytes: 64_000, signal });
  try {
    const clock = await readClock(soap, xaddr);
    return { address, port, xaddr, clock, tlsFingerprint: soap.tlsFingerprint };
  } catch (error) {
    if (!isMediaError(error)) throw error;
    log.debug({ xaddr, code: error.code }, 'no usable answer in the scan');
    // Only a SOAP fault carries subcodes; a router's log-in page with status 401 does not.
    return Array.isArray(error.details['subcodes'])
      ? { address, port, xaddr, tlsFingerprint: soap.tlsFingerprint }
      : undefined;
  }
}
