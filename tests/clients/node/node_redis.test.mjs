// What applications do with node-redis: transactions, publish and subscribe, a cache of their own beside the server's
// data. In both protocols, except for what only RESP3 has.
import { test, before, after, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient, createClientPool, RESP_TYPES, WatchError } from 'redis';
import { startServer } from './server.mjs';

let server;
const open = [];

async function connect(options = {}) {
  const client = createClient({ socket: { host: '127.0.0.1', port: server.port }, ...options });
  client.on('error', () => {});
  open.push(client);
  await client.connect();
  return client;
}

async function until(what) {
  for (let i = 0; i < 1000; i++) {
    if (await what()) return;
    await sleep(5);
  }
  assert.fail('waited in vain');
}

before(async () => { server = await startServer(); });
after(async () => {
  for (const client of open) if (client.isOpen) client.destroy();
  await server?.stop();
});
beforeEach(() => server.redis.flushall());

for (const RESP of [2, 3]) {
  test(`RESP${RESP}: values of every type`, async () => {
    const client = await connect({ RESP });
    assert.equal(await client.set('k', 'v', { expiration: { type: 'EX', value: 100 }, condition: 'NX' }), 'OK');
    assert.equal(await client.set('k', 'w', { condition: 'NX' }), null);
    assert.ok((await client.ttl('k')) > 90);
    await client.hSet('h', { name: 'grüß', n: '1' });
    assert.deepEqual({ ...(await client.hGetAll('h')) }, { name: 'grüß', n: '1' });
    await client.zAdd('z', [{ score: 1.5, value: 'a' }, { score: Infinity, value: 'b' }]);
    assert.deepEqual(await client.zRangeWithScores('z', 0, -1),
      [{ value: 'a', score: 1.5 }, { value: 'b', score: Infinity }]);
    await client.sAdd('s', ['a', 'b']);
    assert.deepEqual((await client.sMembers('s')).sort(), ['a', 'b']);
    await client.xAdd('x', '1-1', { f: 'v' });
    const [stream] = await client.xRead({ key: 'x', id: '0' });
    assert.deepEqual(stream.messages.map(({ id, message }) => [id, { ...message }]), [['1-1', { f: 'v' }]]);
    const blob = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
    await client.set('b', Buffer.from([0, 255, 13, 10]));
    assert.deepEqual(await blob.get('b'), Buffer.from([0, 255, 13, 10]));
    const found = [];
    await client.mSet(Array.from({ length: 200 }, (_, i) => [`many:${i}`, '1']));
    for await (const keys of client.scanIterator({ MATCH: 'many:*', COUNT: 50 })) found.push(...keys);
    assert.equal(new Set(found).size, 200);
    await assert.rejects(client.lPush('k', 'x'), /WRONGTYPE/);
    client.destroy();
  });

  test(`RESP${RESP}: transactions`, async () => {
    const client = await connect({ RESP });
    const other = await connect({ RESP });
    assert.deepEqual(await client.multi().set('n', '1').incrBy('n', 4).get('n').exec(), ['OK', 5, '5']);
    await client.watch('n');
    await other.set('n', '7');
    await assert.rejects(client.multi().incr('n').exec(), WatchError);
    assert.equal(await client.get('n'), '7');
    await client.watch('n');
    await client.unwatch();
    await other.set('n', '8');
    assert.deepEqual(await client.multi().incr('n').exec(), [9]);
    // An error while running leaves the others their replies; one while queueing ends it all.
    const failed = await client.multi().set('a', '1').lPush('a', 'x').get('a').exec().catch((e) => e);
    assert.equal(failed.errorIndexes.length, 1);
    assert.match(failed.replies[1].message, /WRONGTYPE/);
    assert.equal(failed.replies[2], '1');
    await assert.rejects(client.multi().set('a', '2').addCommand(['NOSUCH']).exec(), /EXECABORT|unknown command/);
    assert.equal(await client.get('a'), '1');
    const pool = createClientPool({ RESP, socket: { host: '127.0.0.1', port: server.port } }, { maximum: 8 });
    await pool.connect();
    const add = () => pool.execute(async (c) => {
      for (;;) {
        await c.watch('sum');
        const sum = Number((await c.get('sum')) ?? 0);
        try {
          return await c.multi().set('sum', String(sum + 1)).exec();
        } catch (error) {
          if (!(error instanceof WatchError)) throw error;
        }
      }
    });
    await Promise.all(Array.from({ length: 100 }, add));
    assert.equal(await client.get('sum'), '100');
    await pool.close();
    client.destroy();
    other.destroy();
  });

  test(`RESP${RESP}: channels, patterns, shard channels`, async () => {
    const client = await connect({ RESP });
    const listener = await connect({ RESP });
    const got = [];
    const hear = (kind) => (message, channel) => got.push([kind, channel, message]);
    await listener.subscribe('chat', hear('channel'));
    await listener.pSubscribe('ch?t', hear('pattern'));
    await listener.sSubscribe('shard', hear('shard'));
    assert.equal(await client.publish('chat', 'grüß'), 2);
    assert.equal(await client.sPublish('shard', 's'), 1);
    await Promise.all(Array.from({ length: 300 }, (_, i) => client.publish('chat', `${i}`)));
    await until(() => got.length === 603);
    assert.deepEqual(got.slice(0, 3),
      [['channel', 'chat', 'grüß'], ['pattern', 'chat', 'grüß'], ['shard', 'shard', 's']]);
    assert.deepEqual(got.filter(([kind]) => kind === 'pattern').slice(1).map(([, , m]) => Number(m)),
      Array.from({ length: 300 }, (_, i) => i));
    assert.deepEqual({ ...(await client.pubSubNumSub('chat')) }, { chat: 1 });
    if (RESP === 3) assert.equal(await listener.get('nosuch'), null);    // beside its subscriptions
    await listener.unsubscribe('chat');
    await listener.pUnsubscribe();
    await listener.sUnsubscribe('shard');
    assert.equal(await client.publish('chat', 'nobody'), 0);
    assert.equal(String(await listener.ping()), 'PONG');
    // A connection that is cut subscribes again.
    await listener.subscribe('again', hear('again'));
    const id = Number(/id=(\d+) (?:.*)sub=1/.exec((await client.sendCommand(['CLIENT', 'LIST', 'TYPE', 'PUBSUB'])))[1]);
    await client.sendCommand(['CLIENT', 'KILL', 'ID', String(id)]);
    await until(async () => (await client.publish('again', 'back')) === 1);
    await until(() => got.some(([kind]) => kind === 'again'));
    client.destroy();
    listener.destroy();
  });
}

test('a cache at the client is never stale', async () => {
  const writer = await connect({ RESP: 3 });
  const client = await connect({ RESP: 3, clientSideCache: { ttl: 0, maxEntries: 0, evictPolicy: 'LRU' } });
  const calls = async (name) => {
    const text = await writer.info('commandstats');
    return Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(text)?.[1] ?? 0);
  };
  await writer.set('k', '1');
  assert.equal(await client.get('k'), '1');
  const before = await calls('get');
  for (let i = 0; i < 50; i++) assert.equal(await client.get('k'), '1');
  assert.equal(await calls('get'), before);                // the cache replied
  for (let i = 2; i < 100; i++) {
    await writer.set('k', `${i}`);
    await until(async () => (await client.get('k')) === `${i}`);
  }
  for (const change of [() => writer.del('k'), () => writer.rename('other', 'k'), () => writer.flushAll(),
    () => writer.set('k', 'soon gone', { expiration: { type: 'PX', value: 30 } })]) {
    await writer.set('other', 'renamed');
    await client.get('k');
    await change();
    await until(async () => (await client.get('k')) === (await writer.get('k')));
  }
  await until(async () => (await client.get('k')) === null);
  client.destroy();
  writer.destroy();
});
