// The test's hold on a server: commands come in on stdin, one JSON object a line, each answered by
// one line on stdout. The server ends when stdin does, so it cannot outlive the test.
import { createInterface } from 'node:readline';

/**
 * Prints `{"port":…}` and obeys from then on.
 * @param {number} port where the server listens
 * @param {Record<string, (command: any) => unknown>} commands by the name in `do`; what they
 *   return goes into the answer
 * @param {() => Promise<void> | void} stop called when the test has ended
 */
export function obey(port, commands, stop = () => {}) {
  const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
  const lines = createInterface({ input: process.stdin });
  let last = Promise.resolve();
  lines.on('line', (line) => {
    last = last.then(async () => {
      try {
        const command = JSON.parse(line);
        const run = commands[command.do];
        if (!run) throw new Error(`no such command: ${command.do}`);
        say({ ok: true, value: (await run(command)) ?? null });
      } catch (error) {
        say({ ok: false, error: String(error?.message ?? error) });
      }
    });
  });
  lines.on('close', async () => {
    await stop();
    process.exit(0);
  });
  say({ port });
}

/** Listens on a free port of the loopback interface and tells which. */
export function listen(server) {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => resolve(server.address().port));
  });
}
