import { parseArgs } from 'node:util';
import { startControl } from './control.ts';
import { startHospital } from './hospital.ts';

const HELP = `The simulated hospital: ONVIF cameras and an NVR on loopback addresses.

  --subnet 127.0.10        first three parts of the devices' addresses
  --http-port 8000         ONVIF services of every device
  --rtsp-port 8554         RTSP of every device
  --main 640x360@10        size and frames per second of the main streams
  --sub 320x180@5          the same for the sub streams
  --only cam-01,nvr-01     start only these devices
  --odd                    also start the devices that answer garbage, hang and so on
  --no-archive             an NVR without footage, which starts at once
  --control-port 8090      page and API that switch faults
`;

/** `1280x720@10`. Width must divide by 80 and height by 60, or the stamp's blocks would not be whole pixels. */
function size(text: string): { width: number; height: number; fps: number; bitrateKbps: number } {
  const [, width, height, fps] = (/^(\d{2,4})x(\d{2,4})@(\d{1,2})$/.exec(text) ?? []).map(Number);
  if (!width || !height || !fps || width % 80 || height % 60) {
    throw new Error(`${text}: expected WIDTHxHEIGHT@FPS with width a multiple of 80 and height of 60`);
  }
  return { width, height, fps, bitrateKbps: Math.round((width * height * fps) / 4600) };
}

const { values } = parseArgs({
  options: {
    subnet: { type: 'string', default: '127.0.10' },
    'http-port': { type: 'string', default: '8000' },
    'rtsp-port': { type: 'string', default: '8554' },
    main: { type: 'string', default: '640x360@10' },
    sub: { type: 'string', default: '320x180@5' },
    only: { type: 'string' },
    odd: { type: 'boolean', default: false },
    'no-archive': { type: 'boolean', default: false },
    'control-port': { type: 'string', default: '8090' },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) process.stdout.write(HELP);
else {
  process.stdout.write("Starting. The first time, the NVR's footage is made: up to half a minute.\n");
  const hospital = await startHospital({
    subnet: values.subnet,
    httpPort: Number(values['http-port']),
    rtspPort: Number(values['rtsp-port']),
    main: size(values.main),
    sub: size(values.sub),
    odd: values.odd,
    ...(values.only === undefined ? {} : { devices: values.only.split(',') }),
    ...(values['no-archive'] ? { archive: false } : {}),
  });
  const control = await startControl(hospital, Number(values['control-port']));
  for (const device of hospital.devices) {
    process.stdout.write(`${device.id.padEnd(14)} ${device.xaddr}  ${device.spec.name}\n`);
  }
  const { user, password } = hospital.credentials;
  process.stdout.write(`\nUser ${user}, password ${password} (two devices have others: device-specs.ts)\n`);
  process.stdout.write(`Faults: ${control.url}\n`);
  const stop = (): void => {
    void control.close().then(() => hospital.close());
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
}
