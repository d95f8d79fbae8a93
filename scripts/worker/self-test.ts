import { runWorkerSelfTest } from '#media/sfu/worker-self-test.ts';

// Given the worker's path; exit code 0 and one sentence if it carried a call, 1 and the reason if not.
const [workerBin] = process.argv.slice(2);
if (workerBin === undefined) throw new Error('Usage: self-test.ts <path of the worker>');

const result = await runWorkerSelfTest(workerBin);
if (result.passed) {
  console.log(
    `DTLS handshake completed in ${result.durationMs} ms, ${result.srtpProfile}, mediasoup ${result.version}`,
  );
} else {
  console.error(`The media worker failed its self-test (mediasoup ${result.version}): ${result.reason}`);
  process.exitCode = 1;
}
