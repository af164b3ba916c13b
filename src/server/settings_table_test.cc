#include "server/settings_table.h"

#include <gtest/gtest.h>
#include <set>
#include <unistd.h>

#include "base/log.h"
#include "base/random.h"
#include "engine/client_options.h"
#include "engine/observe_options.h"
#include "io/network_options.h"
#include "io/tls_options.h"
#include "persist/options.h"
#include "script/options.h"
#include "server/later_options.h"
#include "server/process_options.h"
#include "store/memory_options.h"

namespace vitrine {
namespace {

// What Redis 8.0.6 and Valkey 9.1.2 answer to CONFIG GET *: names and defaults; Redis' default where both have one.
// (`dir` is wherever the server was started.)
constexpr Bytes kExpected = R"(
acl-pubsub-default resetchannels
aclfile
acllog-max-len 128
active-defrag-cycle-max 25
active-defrag-cycle-min 1
active-defrag-cycle-us 500
active-defrag-ignore-bytes 104857600
active-defrag-max-scan-fields 1000
active-defrag-threshold-lower 10
active-defrag-threshold-upper 100
active-expire-effort 1
activedefrag no
activerehashing yes
always-show-logo no
aof-load-truncated yes
aof-rewrite-cpulist
aof-rewrite-incremental-fsync yes
aof-timestamp-enabled no
aof-use-rdb-preamble yes
aof_rewrite_cpulist
appenddirname appendonlydir
appendfilename appendonly.aof
appendfsync everysec
appendonly no
auto-aof-rewrite-min-size 67108864
auto-aof-rewrite-percentage 100
availability-zone
bgsave-cpulist
bgsave_cpulist
bind * -::*
bind-source-addr
bio-cpulist
bio_cpulist
busy-reply-threshold 5000
client-output-buffer-limit normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60
client-query-buffer-limit 1073741824
cluster-allow-pubsubshard-when-down yes
cluster-allow-reads-when-down no
cluster-allow-replica-migration yes
cluster-announce-bus-port 0
cluster-announce-client-ipv4
cluster-announce-client-ipv6
cluster-announce-client-port 0
cluster-announce-client-tls-port 0
cluster-announce-hostname
cluster-announce-human-nodename
cluster-announce-ip
cluster-announce-port 0
cluster-announce-tls-port 0
cluster-blacklist-ttl 60
cluster-compatibility-sample-ratio 0
cluster-config-file nodes.conf
cluster-config-save-behavior sync
cluster-databases 1
cluster-enabled no
cluster-link-sendbuf-limit 0
cluster-manual-failover-timeout 5000
cluster-migration-barrier 1
cluster-node-timeout 15000
cluster-port 0
cluster-preferred-endpoint-type ip
cluster-replica-no-failover no
cluster-replica-validity-factor 10
cluster-require-full-coverage yes
cluster-slave-no-failover no
cluster-slave-validity-factor 10
cluster-slot-migration-log-max-len 1000
cluster-slot-stats-enabled no
commandlog-execution-slower-than 10000
commandlog-large-reply-max-len 128
commandlog-large-request-max-len 128
commandlog-reply-larger-than 1048576
commandlog-request-larger-than 1048576
commandlog-slow-execution-max-len 128
crash-log-enabled yes
crash-memcheck-enabled yes
daemonize no
databases 16
dbfilename dump.rdb
disable-thp yes
dual-channel-replication-enabled no
dynamic-hz yes
enable-debug-command no
enable-module-command no
enable-protected-configs no
extended-redis-compatibility no
hash-max-listpack-entries 512
hash-max-listpack-value 64
hash-max-ziplist-entries 512
hash-max-ziplist-value 64
hash-seed
hide-user-data-from-log no
hll-sparse-max-bytes 3000
hz 10
ignore-warnings
import-mode no
io-threads 1
jemalloc-bg-thread yes
latency-monitor-threshold 0
latency-tracking yes
latency-tracking-info-percentiles 50 99 99.9
lazyfree-lazy-eviction no
lazyfree-lazy-expire no
lazyfree-lazy-server-del no
lazyfree-lazy-user-del no
lazyfree-lazy-user-flush no
lfu-decay-time 1
lfu-log-factor 10
list-compress-depth 0
list-max-listpack-size -2
list-max-ziplist-size -2
locale-collate
log-format legacy
log-timestamp-format legacy
logfile
loglevel notice
lua-time-limit 5000
masterauth
masteruser
max-new-connections-per-cycle 10
max-new-tls-connections-per-cycle 1
maxclients 10000
maxmemory 0
maxmemory-clients 0
maxmemory-eviction-tenacity 10
maxmemory-policy noeviction
maxmemory-samples 5
min-replicas-max-lag 10
min-replicas-to-write 0
min-slaves-max-lag 10
min-slaves-to-write 0
mptcp no
no-appendfsync-on-rewrite no
notify-keyspace-events
oom-score-adj no
oom-score-adj-values 0 200 800
pidfile
port 6379
prefetch-batch-max-size 16
primaryauth
primaryuser
proc-title-template {title} {listen-addr} {server-mode}
propagation-error-behavior ignore
protected-mode yes
proto-max-bulk-len 536870912
rdb-del-sync-files no
rdb-save-incremental-fsync yes
rdb-version-check strict
rdbchecksum yes
rdbcompression yes
rdma-bind
rdma-completion-vector -1
rdma-port 0
rdma-rx-size 1048576
repl-backlog-size 1048576
repl-backlog-ttl 3600
repl-disable-tcp-nodelay no
repl-diskless-load disabled
repl-diskless-sync yes
repl-diskless-sync-delay 5
repl-diskless-sync-max-replicas 0
repl-mptcp no
repl-ping-replica-period 10
repl-ping-slave-period 10
repl-timeout 60
replica-announce-ip
replica-announce-port 0
replica-announced yes
replica-full-sync-buffer-limit 0
replica-ignore-disk-write-errors no
replica-ignore-maxmemory yes
replica-lazy-flush no
replica-priority 100
replica-read-only yes
replica-serve-stale-data yes
replicaof
requirepass
sanitize-dump-payload no
save 3600 1 300 100 60 10000
server-cpulist
server_cpulist
set-max-intset-entries 512
set-max-listpack-entries 128
set-max-listpack-value 64
set-proc-title yes
shutdown-on-sigint default
shutdown-on-sigterm default
shutdown-timeout 10
slave-announce-ip
slave-announce-port 0
slave-ignore-maxmemory yes
slave-lazy-flush no
slave-priority 100
slave-read-only yes
slave-serve-stale-data yes
slaveof
slot-migration-max-failover-repl-bytes 0
slowlog-log-slower-than 10000
slowlog-max-len 128
socket-mark-id 0
stop-writes-on-bgsave-error yes
stream-idmp-duration 100
stream-idmp-maxsize 100
stream-node-max-bytes 4096
stream-node-max-entries 100
supervised no
syslog-enabled no
syslog-facility local0
syslog-ident redis
tcp-backlog 511
tcp-keepalive 300
timeout 0
tls-auth-clients yes
tls-auth-clients-user off
tls-auto-reload-interval 0
tls-ca-cert-dir
tls-ca-cert-file
tls-cert-file
tls-ciphers
tls-ciphersuites
tls-client-cert-file
tls-client-key-file
tls-client-key-file-pass
tls-cluster no
tls-dh-params-file
tls-key-file
tls-key-file-pass
tls-port 0
tls-prefer-server-ciphers no
tls-protocols
tls-replication no
tls-session-cache-size 20480
tls-session-cache-timeout 300
tls-session-caching yes
tracking-table-max-keys 1000000
unixsocket
unixsocketgroup
unixsocketperm 0
zset-max-listpack-entries 128
zset-max-listpack-value 64
zset-max-ziplist-entries 128
zset-max-ziplist-value 64
)";

struct Table {
  Table() {
    register_network_settings(settings, network);
    register_tls_settings(settings, tls);
    register_client_settings(settings, client);
    register_acl_settings(settings, client.acl);
    register_memory_settings(settings, memory, keyspace);
    register_encoding_settings(settings, keyspace.limits);
    register_observe_settings(settings, observe);
    register_log_settings(settings, logging);
    register_persist_settings(settings, persist);
    register_script_settings(settings, scripts);
    register_process_settings(settings, process);
    register_later_settings(settings, later);
  }

  std::string get(Bytes name) {
    auto found = settings.get(std::vector<Bytes>{name});
    return found.size() == 1 ? found[0].second : "none";
  }
  std::string set(Bytes name, Bytes value) {
    std::string error = settings.set(std::vector<Settings::Change>{{name, value}}, true);
    size_t reason = error.find("') - ");
    return reason == std::string::npos ? error : error.substr(reason + 5);
  }
  std::string load(Bytes text) {
    auto lines = parse_config(text, "f");
    if (!lines) return lines.error().reason;
    auto result = settings.load(*lines);
    return result ? "" : result.error().reason;
  }

  NetworkOptions network;
  TlsOptions tls;
  ClientOptions client;
  MemoryOptions memory;
  Keyspace::Options keyspace;
  ObserveOptions observe;
  LogOptions logging;
  PersistOptions persist;
  ScriptOptions scripts;
  ProcessOptions process;
  LaterOptions later;
  Settings settings;
};

class SettingsTableTest : public testing::Test, public Table {};

TEST_F(SettingsTableTest, EveryNameWithItsDefault) {
  std::set<std::string> expected = {"dir", "rdb-version", "script-kill-rollback", "script-memory-limit"};
  Bytes rest = kExpected.substr(1);
  while (!rest.empty()) {
    Bytes line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(line.size() + 1);
    Bytes name = line.substr(0, line.find(' '));
    Bytes value = name.size() < line.size() ? line.substr(name.size() + 1) : "";
    EXPECT_EQ(get(name), value) << name;
    expected.emplace(name);
  }
  for (const auto& [name, value] : settings.get(std::vector<Bytes>{"*"})) EXPECT_TRUE(expected.count(name)) << name;
}

TEST_F(SettingsTableTest, SpecialForms) {
  EXPECT_EQ(set("client-output-buffer-limit", "normal 1"), "Wrong number of arguments in buffer limit configuration.");
  EXPECT_EQ(set("client-output-buffer-limit", "master 1 2 3"),
            "Invalid client class specified in buffer limit configuration.");
  EXPECT_EQ(set("client-output-buffer-limit", "normal -1 2 3"),
            "Error in hard, soft or soft_seconds setting in buffer limit configuration.");
  EXPECT_EQ(set("client-output-buffer-limit", "REPLICA 1kb 2 3 pubsub 1 2 3"), "");
  EXPECT_EQ(get("client-output-buffer-limit"), "normal 0 0 0 slave 1024 2 3 pubsub 1 2 3");
  EXPECT_EQ(set("save", "10 1 5"), "Invalid save parameters");
  EXPECT_EQ(set("save", "0 1"), "Invalid save parameters");
  EXPECT_EQ(set("save", "10 1 20 2"), "");
  EXPECT_EQ(get("save"), "10 1 20 2");
  EXPECT_EQ(set("save", ""), "");
  EXPECT_EQ(get("save"), "");
  EXPECT_EQ(set("notify-keyspace-events", "qq"), "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");
  EXPECT_EQ(set("notify-keyspace-events", "KEA"), "");
  EXPECT_EQ(get("notify-keyspace-events"), "AKE");
  EXPECT_EQ(set("notify-keyspace-events", "KEAoc"), "");
  EXPECT_EQ(get("notify-keyspace-events"), "AocKE");
  EXPECT_EQ(set("notify-keyspace-events", "VhTIS"), "");
  EXPECT_EQ(get("notify-keyspace-events"), "hSTIV");
  EXPECT_EQ(set("notify-keyspace-events", "Knm"), "");
  EXPECT_EQ(get("notify-keyspace-events"), "nKm");
  EXPECT_EQ(set("oom-score-adj-values", "1 2"), "wrong number of arguments");
  EXPECT_EQ(set("oom-score-adj-values", "1 2 2001"),
            "Invalid oom-score-adj-values, elements must be between -2000 and 2000.");
  EXPECT_EQ(set("latency-tracking-info-percentiles", "50 x"), "Invalid latency-tracking-info-percentiles parameters");
  EXPECT_EQ(set("latency-tracking-info-percentiles", "50 101"),
            "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]");
  EXPECT_EQ(set("latency-tracking-info-percentiles", "99.9 50.123456789"), "");
  EXPECT_EQ(get("latency-tracking-info-percentiles"), "99.9 50.123457");
  EXPECT_EQ(set("proc-title-template", "{foo}"), "template format is invalid or contains unknown variables");
  EXPECT_EQ(set("proc-title-template", ""), "template format is invalid or contains unknown variables");
  EXPECT_EQ(set("proc-title-template", "{title} {server-mode}"),
            "template format is invalid or contains unknown variables");
  EXPECT_EQ(set("proc-title-template", "{title} {port}"), "");
  EXPECT_EQ(set("proc-title-template", "{title} x"), "");
  EXPECT_EQ(set("shutdown-on-sigterm", "save nosave"),
            "shutdown options SAVE and NOSAVE can't be used simultaneously");
  EXPECT_EQ(set("shutdown-on-sigterm", "save now"), "");
  EXPECT_EQ(get("shutdown-on-sigterm"), "save now");
  EXPECT_EQ(set("dbfilename", "x"), "can't set protected config");
  EXPECT_EQ(set("databases", "3"), "can't set immutable config");
  EXPECT_EQ(set("hz", "0"), "");
  EXPECT_EQ(get("hz"), "1");
  EXPECT_EQ(set("bind", "a b c d e f g h i j k l m n o p q"), "Too many bind addresses specified.");
  EXPECT_EQ(network.bind, (Words{"*", "-::*"}));
  EXPECT_EQ(set("maxmemory-policy", "ALLKEYS-LFU"), "");
  EXPECT_TRUE(keyspace.lfu);
  EXPECT_EQ(set("oom-score-adj", "relative"), "");
  EXPECT_EQ(get("oom-score-adj"), "yes");
}

TEST_F(SettingsTableTest, Lines) {
  EXPECT_EQ(load("save 900 1\nsave 300 10\nslaveof a 99999\n"), "Invalid master port");
  EXPECT_EQ(load("save 900 1\nsave 300 10\nslaveof a 99\nuser bob on +@all\nrename-command GET \"\"\n"
                 "client-output-buffer-limit replica 256mb 64mb 60\nlist-max-ziplist-value 5\n"),
            "");
  EXPECT_EQ(get("save"), "900 1 300 10");
  EXPECT_EQ(get("replicaof"), "a 99");
  EXPECT_EQ(get("slaveof"), "a 99");
  ASSERT_EQ(client.acl.users.size(), 1u);
  EXPECT_EQ(client.acl.users[0].name, "bob");
  EXPECT_EQ(client.acl.users[0].rules, (Words{"on", "+@all"}));
  ASSERT_EQ(process.renamed_commands.size(), 1u);
  EXPECT_EQ(load("save \"\"\n"), "");
  EXPECT_EQ(get("save"), "");
  EXPECT_EQ(load("appendfilename a/b\n"), "appendfilename can't be a path, just a filename");
  EXPECT_EQ(load("include\n"), "Bad directive or wrong number of arguments");
  EXPECT_EQ(load("dir /nosuch\n"), "No such file or directory");
}

// Random values, rewritten and read back, are the same values.
TEST_F(SettingsTableTest, RewriteBringsEverythingBack) {
  Random random(23);
  std::string file = "# mine\nsave 900 1\nmaxmemory 1gb\nclient-output-buffer-limit pubsub 1 2 3\nuser a on\n";
  static constexpr Bytes kValues[] = {"yes", "no",  "1",   "5",     "60",      "1gb",       "1048577", "a b \" c",
                                      "KEA", "10%", "10 5", "x y z", "1 2 3",  "allkeys-lru", "debug",  "no one",
                                      "",    "99",  "-1",  "save now"};
  size_t changed = 0;
  for (int round = 0; round < 60; round++) {
    for (int i = 0; i < 20; i++) {
      const auto& row = settings.rows()[random.below(settings.rows().size())];
      changed += settings.set(std::vector<Settings::Change>{{row->name(), kValues[random.below(std::size(kValues))]}},
                              true).empty();
    }
    file = settings.rewritten(file);
    ASSERT_TRUE(file.starts_with("# mine\n"));
    ASSERT_EQ(settings.rewritten(file), file);
    Table reader;
    ASSERT_EQ(reader.load(file), "") << file;
    for (const auto& row : settings.rows())
      ASSERT_EQ(reader.get(row->name()), row->format()) << row->name() << "\n" << file;
  }
  EXPECT_GT(changed, 100u);
}

}  // namespace
}  // namespace vitrine
