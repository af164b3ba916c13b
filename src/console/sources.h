// What the console reads. It owns none of it: each class counts for itself, the console reads and renders.
//
// The server's own classes stand above this room, so server/build.cc hands over their figures as a function.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace vitrine {

class Dispatcher;
class EventLoop;
class Evictor;
class Keyspace;
class Settings;
class Workers;
struct ClientOptions;
struct MemoryOptions;
struct NetworkOptions;
struct ObserveOptions;

struct ConnectionFigures {
  uint64_t accepted = 0, rejected = 0;
  uint64_t migrating = 0;            // connections kept for MIGRATE
  uint64_t bytes_read = 0, bytes_written = 0, reads = 0, writes = 0;
  uint64_t protocol_errors = 0, query_buffer_disconnections = 0, output_buffer_disconnections = 0;
  uint64_t idle_disconnections = 0, evicted_clients = 0, denied_by_protected_mode = 0;
};

struct ForkFigures {
  uint64_t forks = 0;
  int64_t last_us = 0;               // what the last fork took
};

struct ScriptFigures {
  size_t scripts = 0, libraries = 0, functions = 0;
  size_t scripts_bytes = 0, functions_bytes = 0;            // of their texts
  size_t scripts_heap_bytes = 0, functions_heap_bytes = 0;  // of the interpreters
  uint64_t evicted_scripts = 0;
};

// Everything outlives the console.
struct Sources {
  EventLoop& loop;
  Workers& workers;
  Keyspace& keyspace;
  const Evictor& evictor;
  Dispatcher& dispatcher;
  const Settings& settings;
  const NetworkOptions& network;
  const ClientOptions& clients;
  const MemoryOptions& memory;
  const ObserveOptions& observe;
  const std::string& config_file;
  std::function<ConnectionFigures()> connections;
  std::function<ForkFigures()> forks;
  std::function<ScriptFigures()> scripts;
  std::function<size_t()> append_log_bytes;   // what the append-only log holds in memory
};

}  // namespace vitrine
