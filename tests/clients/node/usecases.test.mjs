// What applications do with ioredis: cache, lock, rate limit, session, leaderboard, queue.
import { test, before, after, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { randomBytes } from 'node:crypto';
import { startServer } from './server.mjs';

let server;
let redis;

before(async () => {
  server = await startServer();
  redis = server.redis;
});
after(() => server?.stop());
beforeEach(() => redis.flushall());

test('cache: read through, expire, drop by prefix', async () => {
  let loads = 0;
  const cached = async (id) => {
    const hit = await redis.get(`cache:${id}`);
    if (hit !== null) return JSON.parse(hit);
    loads += 1;
    const value = { id, name: `item ${id}`, tags: ['ü', '✓'] };
    await redis.set(`cache:${id}`, JSON.stringify(value), 'PX', 60);
    return value;
  };
  assert.deepEqual(await cached(7), await cached(7));
  assert.equal(loads, 1);
  await sleep(90);
  await cached(7);
  assert.equal(loads, 2);
  await Promise.all(Array.from({ length: 500 }, (_, i) => cached(i)));
  let seen = 0;
  for await (const keys of redis.scanStream({ match: 'cache:*', count: 50 })) {
    if (keys.length) seen += await redis.unlink(...keys);
  }
  assert.ok(seen > 0);
});

test('cache: binary values survive', async () => {
  const value = randomBytes(100000);
  await redis.set('blob', value);
  assert.ok(value.equals(await redis.getBuffer('blob')));
});

async function acquire(client, name, ms) {
  const token = randomBytes(8).toString('hex');
  return (await client.set(name, token, 'PX', ms, 'NX')) === 'OK' ? token : null;
}

async function release(client, name, token) {
  await client.watch(name);
  if ((await client.get(name)) !== token) {
    await client.unwatch();
    return false;
  }
  return (await client.multi().del(name).exec()) !== null;
}

test('lock: one holder, release only by the owner, expiry', async () => {
  const other = server.connect();
  const token = await acquire(redis, 'lock:a', 10000);
  assert.ok(token);
  assert.equal(await acquire(other, 'lock:a', 10000), null);
  assert.equal(await release(other, 'lock:a', 'wrong'), false);
  assert.equal(await release(redis, 'lock:a', token), true);
  assert.ok(await acquire(other, 'lock:a', 30));
  await sleep(60);
  assert.ok(await acquire(redis, 'lock:a', 1000));
  await other.watch('lock:b');
  await redis.set('lock:b', 'x');
  assert.equal(await other.multi().del('lock:b').exec(), null);
});

test('rate limit: fixed and sliding windows', async () => {
  const fixed = async (user) => {
    const [[, count]] = await redis.multi().incr(`rate:${user}`).pexpire(`rate:${user}`, 60, 'NX').exec();
    return count <= 3;
  };
  assert.deepEqual(await Promise.all([1, 2, 3, 4].map(() => fixed('u'))), [true, true, true, false]);
  await sleep(90);
  assert.equal(await fixed('u'), true);
  const sliding = async (user, now) => {
    const replies = await redis.multi().zremrangebyscore(`win:${user}`, 0, now - 1000)
      .zadd(`win:${user}`, now, `${now}`).zcard(`win:${user}`).exec();
    return replies[2][1] <= 2;
  };
  assert.equal(await sliding('u', 1000), true);
  assert.equal(await sliding('u', 1500), true);
  assert.equal(await sliding('u', 1900), false);
  assert.equal(await sliding('u', 2950), true);
});

test('session: a hash with a lifetime', async () => {
  await redis.hset('session:1', { user: 'ada', visits: 0, theme: 'dark' });
  await redis.expire('session:1', 1000);
  await Promise.all(Array.from({ length: 50 }, () => redis.hincrby('session:1', 'visits', 1)));
  assert.deepEqual(await redis.hgetall('session:1'), { user: 'ada', visits: '50', theme: 'dark' });
  assert.ok((await redis.ttl('session:1')) > 990);
  await redis.hdel('session:1', 'theme');
  assert.deepEqual(await redis.hmget('session:1', 'user', 'theme'), ['ada', null]);
  assert.deepEqual(await redis.hgetall('session:none'), {});
});

test('leaderboard: ranks, top, around me', async () => {
  const pipeline = redis.pipeline();
  for (let i = 0; i < 1000; i += 1) pipeline.zadd('board', (i * 37) % 1000, `player${i}`);
  await pipeline.exec();
  assert.equal(await redis.zcard('board'), 1000);
  const top = await redis.zrevrange('board', 0, 2, 'WITHSCORES');
  assert.deepEqual(top.filter((_, i) => i % 2 === 1), ['999', '998', '997']);
  await redis.zincrby('board', 5000, 'player10');
  assert.equal(await redis.zrevrank('board', 'player10'), 0);
  const rank = await redis.zrank('board', 'player500');
  const around = await redis.zrange('board', rank - 2, rank + 2);
  assert.equal(around.length, 5);
  assert.equal(around[2], 'player500');
  assert.equal(await redis.zcount('board', '(990', '+inf'), 10);
});

test('queue: BLMOVE to a processing list, nothing is lost', async () => {
  const jobs = Array.from({ length: 200 }, (_, i) => `job${i}`);
  const done = [];
  const worker = async () => {
    const client = server.connect();
    for (;;) {
      const job = await client.blmove('queue', 'processing', 'RIGHT', 'LEFT', 0.2);
      if (job === null) return;
      done.push(job);
      await client.lrem('processing', 1, job);
    }
  };
  const workers = [worker(), worker(), worker()];
  for (const job of jobs) await redis.lpush('queue', job);
  await Promise.all(workers);
  assert.deepEqual(done.sort(), jobs.sort());
  assert.equal(await redis.llen('processing'), 0);
});

test('unique visitors and friends: sets', async () => {
  await redis.sadd('a', 'x', 'y', 'z');
  await redis.sadd('b', 'y', 'z', 'w');
  assert.deepEqual((await redis.sinter('a', 'b')).sort(), ['y', 'z']);
  assert.equal(await redis.sunionstore('c', 'a', 'b'), 4);
  assert.equal((await redis.spop('c', 10)).length, 4);
  assert.equal(await redis.exists('c'), 0);
});

test('errors carry their text; pipelines go on after one', async () => {
  await redis.set('s', 'x');
  await assert.rejects(redis.lpush('s', 1), /WRONGTYPE/);
  const replies = await redis.pipeline().incr('n').incr('s').incr('n').exec();
  assert.equal(replies[0][1], 1);
  assert.match(replies[1][0].message, /not an integer/);
  assert.equal(replies[2][1], 2);
});

test('a long pipeline', async () => {
  const pipeline = redis.pipeline();
  for (let i = 0; i < 20000; i += 1) pipeline.set(`k${i}`, `v${i}`);
  for (let i = 0; i < 20000; i += 1) pipeline.get(`k${i}`);
  const replies = await pipeline.exec();
  assert.equal(replies.length, 40000);
  assert.equal(replies[39999][1], 'v19999');
});

test('pub/sub: channels, patterns, binary messages', async () => {
  const listener = redis.duplicate();
  const got = [];
  listener.on('message', (channel, message) => got.push([channel, message]));
  listener.on('pmessage', (pattern, channel, message) => got.push([pattern, channel, message]));
  assert.equal(await listener.subscribe('chat', 'other'), 2);
  assert.equal(await listener.psubscribe('ch?t'), 3);
  assert.equal(await redis.publish('chat', 'grüß'), 2);
  await Promise.all(Array.from({ length: 300 }, (_, i) => redis.publish('other', `${i}`)));
  while (got.length < 302) await sleep(5);
  assert.deepEqual(got[0], ['chat', 'grüß']);
  assert.deepEqual(got[1], ['ch?t', 'chat', 'grüß']);
  assert.deepEqual(got.slice(2).map(([, m]) => m), Array.from({ length: 300 }, (_, i) => `${i}`));
  // By name: without one, ioredis waits for an answer that counts to zero, and the pattern is still there.
  await listener.unsubscribe('chat', 'other');
  await listener.punsubscribe('ch?t');
  assert.equal(await listener.get('chat'), null);
  listener.disconnect();
});
