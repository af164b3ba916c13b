// The table of settings: every name that Redis 8 and Valkey 9 know, bound to the Options of the room that reads it.
//
// Each function adds a room's rows. Hooks that steer an object (open another port, resize a log) are not here: whoever
// builds the object says settings.find("port")->apply(…). docs/settings.md lists what differs from Redis and what does
// not act yet.
#pragma once

#include "base/settings.h"
#include "store/keyspace.h"

namespace vitrine {

struct AclOptions;
struct ClientOptions;
struct LaterOptions;
struct LogOptions;
struct MemoryOptions;
struct NetworkOptions;
struct ObserveOptions;
struct PersistOptions;
struct ProcessOptions;
struct TlsOptions;
struct ScriptOptions;

void register_network_settings(Settings& settings, NetworkOptions& options);
void register_tls_settings(Settings& settings, TlsOptions& options);
void register_client_settings(Settings& settings, ClientOptions& options);
// `users` are read, not applied: Acl::load_at_start does that.
void register_acl_settings(Settings& settings, AclOptions& options);
// The keyspace's `lfu` and `lrm` follow maxmemory-policy.
void register_memory_settings(Settings& settings, MemoryOptions& options, Keyspace::Options& keyspace);
void register_encoding_settings(Settings& settings, EncodingLimits& limits);
void register_observe_settings(Settings& settings, ObserveOptions& options);
void register_log_settings(Settings& settings, LogOptions& options);
void register_persist_settings(Settings& settings, PersistOptions& options);
void register_script_settings(Settings& settings, ScriptOptions& options);
// Also makes enable-protected-configs guard the guarded ones.
void register_process_settings(Settings& settings, ProcessOptions& options);
void register_later_settings(Settings& settings, LaterOptions& options);

}  // namespace vitrine
