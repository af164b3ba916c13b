// Command: one command or subcommand as this server can run it: its row in the table of facts (engine/command_table.h,
// generated from data/commands), its handler, and what it has cost so far. CommandRegistry: all of them by name.
//
// A family file ends with its rows and one function that adds them:
//
//   constexpr CommandRow kRows[] = {{"get", get}, {"set", set}};
//   void add_string_commands(CommandRegistry& registry) { registry.add(kRows); }
//
// Subcommands are rows named "client|list". A container command needs no row of its own.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "engine/latency_histogram.h"

namespace vitrine {

class Call;
struct CommandInfo;
using Handler = void (*)(Call&);

struct CommandRow {
  Bytes name;
  Handler handler;
};

// Which setting must allow it: enable-debug-command, enable-module-command.
enum class Guard : uint8_t { none, debug, module };

struct Command {
  const CommandInfo* info = nullptr;
  Handler handler = nullptr;                 // null: `bound` is called
  std::function<void(Call&)> bound;          // a command that steers a room, bound to the object it steers
  Command* parent = nullptr;
  std::vector<Command*> subcommands;         // not empty: a container
  std::string name;                          // as called now (rename-command may have changed it), lower case
  std::string full_name;                     // "client|list"
  uint64_t id = 0;                           // dense, for tables by command

  // Copied from `info` for the hot path.
  uint64_t flags = 0;
  int arity = 0;
  int first_key = 0;
  bool reads_blocks = false;                 // its first key is of a type whose values lie in blocks of their own
  Guard guard = Guard::none;
  // Of EVAL and FCALL: whether this script has promised not to write. Null: the flags say it.
  std::function<bool(std::span<const Bytes> argv)> only_reads;

  struct Stats {
    uint64_t calls = 0, rejected = 0, failed = 0;
    uint64_t ticks = 0;                      // time spent, in base/ticks.h units
    std::unique_ptr<LatencyHistogram> histogram;
  } stats;
};

class CommandRegistry {
 public:
  CommandRegistry();
  ~CommandRegistry();

  // REQUIRES: each name is in the table of facts, and has no handler yet.
  void add(std::span<const CommandRow> rows);
  void add(Bytes name, std::function<void(Call&)> handler);
  // rename-command: an empty `to` removes it. False when `from` is unknown or `to` is taken.
  bool rename(Bytes from, Bytes to);

  // By name as typed by a client, any case. Null when unknown.
  Command* find(Bytes name) const;
  // The subcommand that argv[1] names, or null.
  static Command* find_subcommand(const Command& container, Bytes name);
  // By name or full name as typed by a client ("CONFIG|SET"). Null when unknown.
  Command* find_named(Bytes name) const;
  // By full name in lower case ("config|set").
  Command* find_full(Bytes full_name) const;

  // Top-level commands in order of name.
  const std::vector<Command*>& all() const { return order_; }
  size_t count() const { return order_.size(); }
  size_t total() const { return commands_.size(); }  // subcommands included
  void reset_stats();

 private:
  // Names of up to eight bytes as clients write them, found before: one load and one comparison instead of a search.
  struct Known {
    uint64_t name = 0;
    uint64_t length = 0;
    Command* command = nullptr;
  };
  static constexpr int kKnownBits = 6;
  Known& known(uint64_t name) const { return known_[(name * 0x9e3779b97f4a7c15ull) >> (64 - kKnownBits)]; }
  Command* search(Bytes name) const;
  Command* place(Bytes full_name);
  Command* vacant(Bytes full_name);
  Command* make(Bytes full_name);
  void rebuild();

  std::vector<std::unique_ptr<Command>> commands_;
  std::vector<Command*> order_;
  std::vector<Command*> slots_;  // open addressing by hash of the lower-case name
  mutable std::array<Known, size_t{1} << kKnownBits> known_{};
};

}  // namespace vitrine
