// How the node and its data on disk go together: loading at start, the gates, the end.
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "base/log.h"
#include "console/debug.h"
#include "console/info.h"
#include "io/process.h"
#include "persist/aof_loader.h"
#include "persist/commands.h"
#include "server/node.h"

namespace vitrine {

namespace {

std::string as_sentence(std::string text) { return text.ends_with('.') ? text : text + '.'; }

// What is no number counts as 0, as in Redis' DEBUG.
template <class Number>
void take_number(Call& c, Number& into) {
  into = static_cast<Number>(std::strtol(std::string(c.args.bytes()).c_str(), nullptr, 10));
  c.reply.ok();
}

}  // namespace

void Node::wire_persistence() {
  snapshots_.access_facts = [this] {
    switch (options_.memory.policy) {
      case EvictionPolicy::allkeys_lru:
      case EvictionPolicy::allkeys_lrm:
      case EvictionPolicy::volatile_lrm:
      case EvictionPolicy::volatile_lru: return SnapshotFacts::Access::idle;
      case EvictionPolicy::allkeys_lfu:
      case EvictionPolicy::volatile_lfu: return SnapshotFacts::Access::frequency;
      default: return SnapshotFacts::Access::none;
    }
  };
  snapshots_.on_events = [this] {
    serve_while_loading();
    return !stopping_;
  };
  snapshots_.on_change = [this] { follow_persistence(); };
  wire_append_only();
  for (const char* name : {"save", "stop-writes-on-bgsave-error"})
    settings_.find(name)->apply([this] { return follow_persistence(), Refusal(); });
  console_.info().set_section("Persistence", Info::Shown::by_default, [this](InfoText& text) {
    write_persistence_section(text, snapshots_, append_only_, loop_.wall_ms());
  });
  console_.debug().add("RELOAD [MERGE] [NOFLUSH] [NOSAVE]",
                       "Saves a snapshot, empties the databases and reads the snapshot. MERGE: keys that are there\n"
                       "make place. NOFLUSH: nothing is emptied. NOSAVE: the file that is there is read.", 0, 3,
                       [this](Call& c) { debug_reload(c, snapshots_); });
  console_.debug().add("LOADAOF", "Empties the databases and reads the append-only log.", 0, 0,
                       [this](Call& c) { reload_append_log(c); });
  console_.debug().add("AOF-FLUSH-SLEEP <microseconds>", "Waits so long before each write to the log.", 1, 1,
                       [this](Call& c) { take_number(c, options_.persist.append.write_delay_us); });
  console_.debug().add("SET-SKIP-CHECKSUM-VALIDATION <0|1>",
                       "1: the checksums of snapshots and of RESTORE's payloads are not looked at.", 1, 1,
                       [this](Call& c) { take_number(c, options_.persist.skip_checksums); });
}

void Node::wire_append_only() {
  append_only_.on_change = [this] { follow_persistence(); };
  append_only_.append_log().on_fatal = [](const std::string& why) {
    log(LogLevel::warning, "%s Exiting.", why.c_str());
    std::_Exit(1);
  };
  snapshots_.other_child = [this] { return append_only_.rewriting(); };
  clients_.before_replies = [this] { return append_only_.end_turn(); };
  settings_.find("dir")->apply([this]() -> Refusal {
    auto followed = append_only_.follow_folder();
    return followed ? Refusal() : followed.error();
  });
  settings_.find("appendonly")->apply([this]() -> Refusal {
    if (!options_.persist.append.enabled) return append_only_.turn_off(), Refusal();
    if (auto on = append_only_.turn_on(); !on) return "Unable to turn on AOF. " + on.error();
    return {};
  });
}

void Node::follow_persistence() {
  dispatcher_.data_gate.loading = snapshots_.loading().active();
  Bytes log_refusal = append_only_.write_refusal();
  dispatcher_.data_gate.write_refusal = log_refusal.empty() ? snapshots_.write_refusal() : log_refusal;
}

// A turn that takes no time and touches no data.
void Node::serve_while_loading() {
  loop_.wait(0);
  loop_.dispatch_ready();
  clients_.run_input();
  loop_.dispatch_timers();
  loop_.dispatch_posted();
  clients_.flush_all();
  end_if_asked();
}

bool Node::load_data() {
  if (the_log().options.file.empty() && process::output_is_terminal())
    snapshots_.loading().show = process::show_on_terminal;
  keyspace_.set_now(loop_.wall_ms());
  snapshots_.remove_leftovers();
  return options_.persist.append.enabled ? load_append_log() : load_snapshot();
}

namespace {

bool says(Bytes why, int code) { return why.find(std::strerror(code)) != Bytes::npos; }

// What to do about files that could not be loaded, with a blank behind it; `otherwise` where they were read, but are no
// good.
std::string remedy(Bytes why, const std::string& files, std::string otherwise) {
  if (says(why, EACCES)) return "Let the server's user " + files + ". ";
  if (why.find(kUnknownVersion) != Bytes::npos)
    return "A newer server wrote it: load it there, and save it with an older rdb-version. ";
  return otherwise;
}

std::string remedy_of_writing(Bytes why) {
  if (says(why, ENOSPC) || says(why, EDQUOT)) return "Free space on that disk.";
  if (says(why, EACCES) || says(why, EPERM) || says(why, EROFS))
    return "Let the server's user write there, or set appendonly no.";
  return "Mend that, or set appendonly no.";
}

}  // namespace

// Where there is a log it alone counts, as in Redis.
bool Node::load_append_log() {
  const AppendOptions& o = options_.persist.append;
  AofPlace place{o.folder, o.prefix};
  AofLoader loader(files_, keyspace_, dispatcher_, snapshots_);
  int64_t start_us = loop_.clock().monotonic_us();
  auto fatal = [&](const std::string& why) {
    bool is_single = !files_.exists(place.manifest()) && files_.exists(place.prefix);
    std::string log_file = is_single ? place.prefix : place.manifest();
    // Nothing to examine where there is no such file, or another thing in its place.
    std::string otherwise = files_.open_read(log_file) ? "Restore it from a backup; 'vitrine-check aof " + log_file +
                                                             "' says what can be kept. " : "";
    log(LogLevel::warning, "Fatal error loading the append-only log: %s %sExiting.", as_sentence(why).c_str(),
        remedy(why, "read and write that file", otherwise).c_str());
    return false;
  };
  if (auto claimed = append_only_.claim(); !claimed) {
    log(LogLevel::warning, "%s Exiting.", claimed.error().c_str());
    return false;
  }
  auto manifest = loader.find(place);
  if (!manifest) return fatal(manifest.error());
  if (!*manifest) {
    if (snapshots_.file_exists())
      log(LogLevel::warning, "There is a snapshot, %s, which is not read: appendonly is yes, and there is no log. To "
          "start with it, start with appendonly no, then CONFIG SET appendonly yes.",
          options_.persist.dbfilename.c_str());
    return begin_append_log(std::nullopt);
  }
  if ((*manifest)->empty()) {
    log(LogLevel::notice, "The append-only log was turned on, but never came to hold the data: the snapshot counts.");
    return load_snapshot() && (stopping_ || begin_append_log(*manifest));
  }
  auto loaded = loader.load(place, **manifest, o.load_truncated, true);
  if (stopping_) return true;
  if (!loaded) return fatal(loaded.error());
  loop_.refresh();
  log(LogLevel::notice, "DB loaded from append only file: %.3f seconds",
      static_cast<double>(loop_.clock().monotonic_us() - start_us) / 1e6);
  if (loaded->failed)
    log(LogLevel::warning, "%llu of %llu commands of the log were answered with an error: what was loaded may differ "
        "from what was written.", static_cast<unsigned long long>(loaded->failed),
        static_cast<unsigned long long>(loaded->commands));
  if (auto adopted = loader.adopt(place, **manifest); !adopted) return cannot_write_log(adopted.error());
  return begin_append_log(*manifest);
}

bool Node::cannot_write_log(const std::string& why) {
  log(LogLevel::warning, "Can't write the append-only log: %s %s Exiting.", as_sentence(why).c_str(),
      remedy_of_writing(why).c_str());
  return false;
}

bool Node::begin_append_log(const std::optional<AofManifest>& manifest) {
  auto begun = append_only_.begin(manifest);
  return begun || cannot_write_log(begun.error());
}

// DEBUG LOADAOF: the data as the log tells it.
void Node::reload_append_log(Call& c) {
  if (!c.args.done()) return;
  const AppendOptions& o = options_.persist.append;
  auto manifest = append_only_.settle();
  if (!manifest) return c.reply.error("ERR " + manifest.error());
  keyspace_.flush(-1, false);
  AofLoader loader(files_, keyspace_, dispatcher_, snapshots_);
  auto loaded = loader.load({o.folder, o.prefix}, *manifest, false, false);
  c.effects.nothing();
  if (!loaded) return c.reply.error("ERR Error trying to load the AOF files: " + loaded.error());
  log(LogLevel::warning, "Append Only File loaded by DEBUG LOADAOF");
  c.reply.ok();
}

bool Node::load_snapshot() {
  if (!snapshots_.file_exists()) return true;
  int64_t start_us = loop_.clock().monotonic_us();
  auto content = snapshots_.load(false, true);
  if (stopping_) return true;
  if (!content) {
    const std::string& file = options_.persist.dbfilename;
    std::string otherwise = "Move it away to start without its data. ";
    if (files_.open_read(file))
      otherwise = "Restore it from a backup, or move it away to start without its data; 'vitrine-check rdb " + file +
                  "' says what is in it. ";
    log(LogLevel::warning, "Fatal error loading the DB: %s %sExiting.", as_sentence(content.error()).c_str(),
        remedy(content.error(), "read " + file, otherwise).c_str());
    return false;
  }
  loop_.refresh();
  log(LogLevel::notice, "Done loading RDB, keys loaded: %llu, keys expired: %llu, empty keys skipped: %llu.",
      static_cast<unsigned long long>(content->keys), static_cast<unsigned long long>(content->expired),
      static_cast<unsigned long long>(content->empty));
  log(LogLevel::notice, "DB loaded from disk: %.3f seconds",
      static_cast<double>(loop_.clock().monotonic_us() - start_us) / 1e6);
  return true;
}

bool Node::shut_down(const Farewell& how) {
  log(LogLevel::warning, "User requested shutdown...");
  snapshots_.cancel_background();
  if (auto ended = append_only_.shut_down(how.force); !ended) {
    log(LogLevel::warning, "%s", ended.error().c_str());
    return false;
  }
  // What is half loaded must not take the place of the whole.
  if (snapshots_.loading().active()) return stop(), true;
  if (how.save || (!how.nosave && snapshots_.has_save_points())) {
    log(LogLevel::notice, "Saving the final RDB snapshot before exiting.");
    if (auto saved = snapshots_.save(); !saved) {
      log(LogLevel::warning, "Error trying to save the DB, can't exit.");
      if (!how.force) return false;
      log(LogLevel::warning, "Ending all the same, as was asked for.");
    }
  }
  stop();
  return true;
}

bool Node::restart(int64_t delay_ms) {
  if (!shut_down({})) return false;
  restart_after_ms_ = delay_ms;
  return true;
}

void Node::ask_to_end(int signal) {
  end_signal_ = signal;
  scripting_.engine.ask_to_end();
}

bool Node::take_back_end() {
  if (!std::exchange(end_signal_, 0)) return false;
  if (on_end_failed) on_end_failed();
  return true;
}

void Node::end_if_asked() {
  int signal = std::exchange(end_signal_, 0);
  if (__builtin_expect(!signal, 1)) return;
  int ways = signal == SIGINT ? options_.process.shutdown_on_sigint : options_.process.shutdown_on_sigterm;
  bool ended = shut_down({bool(ways & kShutdownSave), bool(ways & kShutdownNoSave), bool(ways & kShutdownForce)});
  if (!ended && on_end_failed) on_end_failed();
}

}  // namespace vitrine
