// One server for a test file: VITRINE_SERVER, or build/release/vitrine-server; VITRINE_PEER=oracle takes Redis 7.0.15.
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import Redis from 'ioredis';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');

function freePort() {
  return new Promise((done) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => done(port));
    });
  });
}

export async function startServer() {
  const oracle = process.env.VITRINE_PEER === 'oracle';
  const binary = oracle ? '/usr/bin/redis-check-rdb'
    : process.env.VITRINE_SERVER || join(root, 'build/release/vitrine-server');
  const port = await freePort();
  const dir = mkdtempSync(join(tmpdir(), 'vitrine-node-'));
  const child = spawn(binary, ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', dir],
    { argv0: oracle ? 'redis-server' : 'vitrine-server', stdio: ['ignore', 'pipe', 'inherit'] });
  let log = '';
  child.stdout.on('data', (chunk) => { log += chunk; });
  const clients = [];
  const connect = (options = {}) => {
    const client = new Redis({ port, host: '127.0.0.1', ...options });
    client.on('error', () => {});
    clients.push(client);
    return client;
  };
  const first = connect({ retryStrategy: (times) => (times > 200 ? null : 25) });
  try {
    await first.ping();
  } catch (error) {
    child.kill('SIGKILL');
    throw new Error(`the server did not start: ${error.message}\n${log}`);
  }
  return {
    port, connect, redis: first,
    async stop() {
      for (const client of clients) client.disconnect();
      child.kill('SIGTERM');
      await new Promise((done) => { child.exitCode !== null ? done() : child.once('exit', done); });
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
