import type { Log } from '#media/log.ts';
import type { StreamSource } from '#media/source.ts';
import type { Inquiry } from './inquiry.ts';
import type { OnvifPort } from './onvif-port.ts';
import type { DeviceRegister } from './register.ts';
import type { DeviceService } from './service.ts';

/** A device's own recordings: whom to ask, and as whom. */
export interface ArchiveAccess {
  readonly deviceId: string;
  readonly channels: readonly {
    readonly channelId: string;
    readonly sourceToken: string;
    readonly profileTokens: readonly string[];
  }[];
  /** A conversation with its log-in; sends nothing yet. `signal` ends every request. */
  open(signal: AbortSignal): ReturnType<OnvifPort['openDevice']>;
  /** A replay address of the device with its log-in beside it. */
  replayFrom(url: string): StreamSource;
}

export interface ArchiveCalls {
  /** undefined: the channel is unknown, or its device is switched off or removed. */
  find(channelId: string): ArchiveAccess | undefined;
}

const deadlineMs = 8_000;

/** Turns a channel's id into access to the recordings that its device made. */
export function createArchiveCalls(options: {
  register: DeviceRegister;
  devices: DeviceService;
  inquiry: Inquiry;
  onvif: OnvifPort;
  networks: () => readonly string[];
  log: Log;
}): ArchiveCalls {
  const { register, devices, inquiry, onvif, networks, log } = options;
  return {
    find(channelId) {
      const device = register.findChannel(channelId)?.device;
      if (!device || !device.isEnabled || device.removedAt !== null) return undefined;
      const { id, xaddr, host, tlsFingerprint, channels } = device;
      return {
        deviceId: id,
        channels: channels.map((channel) => ({
          channelId: channel.id,
          sourceToken: channel.sourceToken,
          profileTokens: channel.streams.map((stream) => stream.profileToken),
        })),
        open: (signal) =>
          onvif.openDevice(
            { xaddr, credentials: devices.withCredentials(id), tlsFingerprint: tlsFingerprint ?? undefined },
            { budget: inquiry.budgetFor(host), networks: [...networks()], deadlineMs, signal, log },
          ),
        replayFrom(url) {
          const credentials = devices.withCredentials(id);
          return { url, transport: 'tcp', ...(credentials ? { credentials } : {}) };
        },
      };
    },
  };
}
