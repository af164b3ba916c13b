#include "engine/dispatcher.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/memory.h"
#include "base/numbers.h"
#include "base/ticks.h"
#include "engine/acl.h"
#include "engine/command_table.h"
#include "store/database.h"
#include "wire/request_size.h"

namespace vitrine {

Dispatcher::Dispatcher(Options options, CommandRegistry& registry, Keyspace& keyspace, Sessions& sessions,
                       Waiters& waiters, WatchTable& watches)
    : options_(options), acl_(std::make_unique<Acl>(options.clients.acl, sessions)), registry_(registry),
      keyspace_(keyspace), sessions_(sessions), waiters_(waiters), watches_(watches), pubsub_(options.clients),
      tracking_(keyspace, sessions, options.clients, session_in_hand_) {
  waiters_.on_error = [this](Command& command, Bytes code) {
    command.stats.failed++;
    count_error(code);
  };
}

Dispatcher::~Dispatcher() = default;

bool Dispatcher::open_to_all() const { return acl_->open_to_all(); }

[[gnu::always_inline]] inline Prepared Dispatcher::look_up(std::span<const Bytes> argv) const {
  Prepared p;
  p.argv = argv;
  p.command = registry_.find(argv[0]);
  if (!p.command) return p;
  if (!p.command->subcommands.empty() && argv.size() > 1)
    if (Command* sub = CommandRegistry::find_subcommand(*p.command, argv[1])) p.command = sub;
  int first = p.command->first_key;
  if (first > 0 && static_cast<size_t>(first) < argv.size()) {
    p.key = argv[static_cast<size_t>(first)];
    p.hash = hash_bytes(p.key);
  }
  return p;
}

Prepared Dispatcher::prepare(std::span<const Bytes> argv) const { return look_up(argv); }

namespace {

// Calls `fetch` for the commands that have a key, once for those that follow each other with the same one.
template <class Fetch>
void for_each_key(std::span<const Prepared> commands, Fetch fetch) {
  uint64_t last = 0;
  for (const Prepared& p : commands)
    if (p.hash && p.hash != last) fetch(p), last = p.hash;
}

}  // namespace

void Dispatcher::prepare(const CommandBatch& batch, Prepared* out) const {
  // The database of a session may change within the batch (SELECT); a wrong guess costs only the prefetch.
  const Database& database = keyspace_.database(0);
  const auto& table = database.table();
  uint64_t last = 0;
  for (size_t i = 0; i < batch.size(); i++) {
    out[i] = look_up(batch[i]);
    if (out[i].hash && out[i].hash != last) table.prefetch_bucket(last = out[i].hash);
  }
  if (batch.size() == 1) return;
  std::span<const Prepared> commands(out, batch.size());
  for_each_key(commands, [&](const Prepared& p) { table.prefetch_words(p.hash); });
  for_each_key(commands, [&](const Prepared& p) {
    if (p.command->reads_blocks) database.prefetch_value(p.hash);
  });
}

namespace {

// Up to the first zero byte: what a reader of C strings sees.
Bytes as_c_text(Bytes b) { return b.substr(0, b.find('\0')); }

// What the client sent, shortened, as the error for an unknown command shows it.
std::string shown_arguments(std::span<const Bytes> argv) {
  std::string text;
  for (size_t i = 1; i < argv.size() && text.size() < 128; i++) {
    Bytes shown = as_c_text(argv[i]).substr(0, 128 - text.size());
    text += "'" + std::string(shown) + "' ";
  }
  return text;
}

}  // namespace

namespace {

// What a browser would send.
bool is_http(Bytes name) { return equals_ignoring_case(name, "post") || equals_ignoring_case(name, "host:"); }

}  // namespace

// Replies why not. A refused EXEC ends its transaction.
bool Dispatcher::refuse(Session& session, const Prepared& p, Bytes error) {
  if (p.command && p.command->full_name == "exec") {
    discard_transaction(session, watches_);
    Bytes reason = error.starts_with("ERR ") ? error.substr(4) : error;
    session.reply.error("EXECABORT Transaction discarded because of: " + std::string(reason));
  } else {
    session.reply.error(error);
  }
  return true;
}

bool Dispatcher::refuse_unknown(Session& session, const Prepared& p) {
  if (p.command && (p.command->subcommands.empty() || p.argv.size() < 2)) return false;
  stats_.unknown++;
  if (is_http(p.argv[0])) {
    log(LogLevel::warning,
        "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands, likely by an "
        "attacker who uses a browser against this server. Connection%s%s aborted.",
        session.peer ? " from " : "", session.peer ? session.peer->address().c_str() : "");
    session.doom();
    return true;
  }
  if (p.command) {
    std::string given(as_c_text(p.argv[1]).substr(0, 128));
    return refuse(session, p, "ERR unknown subcommand '" + given + "'. Try " + to_upper(p.command->name) + " HELP.");
  }
  std::string given(as_c_text(p.argv[0]).substr(0, 128));
  return refuse(session, p,
                "ERR unknown command '" + given + "', with args beginning with: " + shown_arguments(p.argv));
}

bool Dispatcher::refuse_arity(Session& session, const Prepared& p) {
  int arity = p.command->arity, given = static_cast<int>(p.argv.size());
  if (arity > 0 ? given == arity : given >= -arity) return false;
  return refuse(session, p, "ERR wrong number of arguments for '" + p.command->full_name + "' command");
}

bool Dispatcher::refuse_unauthenticated(Session& session, const Prepared& p) {
  if (session.authenticated || open_to_all() || (p.command->flags & command_flag::kNoAuth)) return false;
  return refuse(session, p, "NOAUTH Authentication required.");
}

bool Dispatcher::refuse_protected(Session& session, const Prepared& p) {
  if (p.command->guard == Guard::none) return false;
  bool debug = p.command->guard == Guard::debug;
  Allowance allowed = debug ? options_.debug_command : options_.module_command;
  if (allowed == Allowance::yes || (allowed == Allowance::local && session.is_local())) return false;
  std::string name = debug ? "debug" : "module";
  return refuse(session, p,
                "ERR " + to_upper(name) + " command not allowed. If the enable-" + name +
                    "-command option is set to \"local\", you can run it from a local connection, otherwise you need "
                    "to set this option in the configuration file, and then restart the server.");
}

bool Dispatcher::refuse_denied(Session& session, const Prepared& p) {
  if (!session.restricted) return false;
  AclVerdict verdict = acl_->check(session, *p.command->info, p.argv);
  if (verdict.permitted()) return false;
  session.last_command = p.command;
  acl_->note(session, verdict, session.transaction.open ? AclContext::multi : AclContext::toplevel, keyspace_.now_ms());
  return refuse(session, p, Acl::refusal(verdict));
}

bool Dispatcher::still_permitted(Session& session, const Command& command, std::span<const Bytes> argv) {
  if (!session.restricted) return true;
  AclVerdict verdict = acl_->check(session, *command.info, argv);
  if (verdict.permitted()) return true;
  acl_->note(session, verdict, AclContext::multi, keyspace_.now_ms());
  session.reply.error(Acl::refusal_of_queued(verdict));
  count_error(session.reply.last_error_code());
  nested_errors_++;
  return false;
}

bool Dispatcher::refuse_no_multi(Session& session, const Prepared& p) {
  if (!session.transaction.open || !(p.command->flags & command_flag::kNoMulti)) return false;
  return refuse(session, p, "ERR Command not allowed inside a transaction");
}

bool Dispatcher::refuse_for_memory(Session& session, const Prepared& p) {
  if (memory::allocated_here() < memory_gate.checkpoint || memory_gate.make_room()) return false;
  bool denied = p.command->flags & command_flag::kDenyoom;
  // Nothing more may be queued, but a transaction may always end.
  const std::string& name = p.command->full_name;
  if (session.transaction.open)
    denied = name == "exec" ? session.transaction.queued_flags & command_flag::kDenyoom
                            : name != "discard" && name != "reset" && name != "quit";
  if (!denied) return false;
  return refuse(session, p, "OOM command not allowed when used memory > 'maxmemory'.");
}

bool Dispatcher::refuse_for_data(Session& session, const Prepared& p) {
  if (__builtin_expect(data_gate.open(), 1)) return false;
  uint64_t flags = p.command->flags;
  if (!data_gate.busy_refusal.empty() && !(flags & command_flag::kAllowBusy))
    return refuse(session, p, data_gate.busy_refusal);
  if (data_gate.loading && !(flags & command_flag::kLoading))
    return refuse(session, p, kLoadingRefusal);
  if (data_gate.write_refusal.empty()) return false;
  bool asked = (flags & command_flag::kWrite) || p.command->full_name == "ping";
  if (p.command->full_name == "exec") asked = session.transaction.queued_flags & command_flag::kWrite;
  return asked && refuse(session, p, data_gate.write_refusal);
}

namespace {

constexpr uint64_t kReplicates = command_flag::kWrite | command_flag::kMayReplicate;

uint64_t flags_of(const Prepared& p) {
  const Command& command = *p.command;
  bool only_reads = command.only_reads && command.only_reads(p.argv);
  return only_reads ? command.flags & ~kReplicates : command.flags;
}

}  // namespace

bool Dispatcher::must_hold(Session& session, const Prepared& p) {
  if (__builtin_expect(!paused(keyspace_.now_ms()), 1)) return false;
  bool writes = flags_of(p) & kReplicates;
  if (p.command->full_name == "exec") writes = session.transaction.queued_flags & kReplicates;
  if (pause_writes_only_ && !writes) return false;
  if (p.command->parent && p.command->parent->full_name == "client") return false;
  session.paused = true;
  session.last_command = p.command;
  held_.push_back(session.id);
  return true;
}

// Who listens in RESP2 gets messages and nothing else, save for the replies of what steers that.
bool Dispatcher::refuse_listener(Session& session, const Prepared& p) {
  if (__builtin_expect(!session.subscriptions, 1) || !session.only_listens()) return false;
  const std::string& name = p.command->full_name;
  if (Bytes(name).ends_with("subscribe")) return false;
  for (Bytes allowed : {"ping", "quit", "reset"})
    if (name == allowed) return false;
  return refuse(session, p,
                "ERR Can't execute '" + name +
                    "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context");
}

// A monitor sees every command: were it to change or read data, it would watch itself.
bool Dispatcher::refuse_monitor(Session& session, const Prepared& p) {
  constexpr uint64_t kKeyspace = command_flag::kReadonly | command_flag::kWrite | command_flag::kMayReplicate;
  if (!session.monitoring || !(flags_of(p) & kKeyspace)) return false;
  return refuse(session, p, "ERR Replica can't interact with the keyspace");
}

// True in the common case, in which no gate would stop the command: asked first, because it is cheap.
[[gnu::always_inline]] inline bool Dispatcher::passes_freely(const Session& session, const Prepared& p) const {
  const Command* command = p.command;
  if (!command || !command->subcommands.empty() || command->guard != Guard::none) return false;
  int given = static_cast<int>(p.argv.size());
  if (command->arity > 0 ? given != command->arity : given < -command->arity) return false;
  return session.authenticated && !session.restricted && !session.transaction.open && session.plain() &&
         !session.monitoring && pause_until_ms_ == 0 &&
         memory::allocated_here() < memory_gate.checkpoint && data_gate.open();
}

bool Dispatcher::refused(Session& session, const Prepared& p) {
  return refuse_unknown(session, p) || refuse_arity(session, p) || refuse_unauthenticated(session, p) ||
         refuse_protected(session, p) || refuse_no_multi(session, p) || refuse_denied(session, p) ||
         refuse_for_memory(session, p) || refuse_for_data(session, p) || refuse_listener(session, p) ||
         refuse_monitor(session, p);
}

void Dispatcher::note_refusal(Session& session, const Prepared& p) {
  if (session.transaction.open) session.transaction.spoiled = true;
  count_refusal(session, p);
}

void Dispatcher::count_refusal(Session& session, const Prepared& p) {
  if (p.command && p.command->subcommands.empty()) p.command->stats.rejected++;
  count_error(session.reply.last_error_code());
}

namespace {

// A SELECT is queued. One that will fail leaves the database as it is.
void note_selected(TransactionState& t, Bytes word, int databases) {
  auto number = parse_int64(word);
  if (number && *number >= 0 && *number < databases) t.db = static_cast<int>(*number);
}

}  // namespace

bool Dispatcher::queue_in_transaction(Session& session, const Prepared& p) {
  TransactionState& t = session.transaction;
  if (!t.open) return false;
  const std::string& name = p.command->full_name;
  for (Bytes immediate : {"exec", "discard", "multi", "watch", "quit", "reset"})
    if (name == immediate) return false;
  QueuedCommand queued{p.command, {p.argv.begin(), p.argv.end()}};
  for (const std::string& arg : queued.argv) t.queue_bytes += sizeof arg + arg.capacity();
  t.queue.push_back(std::move(queued));
  if (name == "select") note_selected(t, p.argv[1], keyspace_.databases());
  t.queued_flags |= flags_of(p);
  session.last_command = p.command;
  session.reply.raw("+QUEUED\r\n");
  return true;
}

void Dispatcher::note_refused_call(Command* command, Bytes error) {
  if (command) command->stats.rejected++;
  count_error(error.substr(0, error.find(' ')));
}

namespace {

constexpr size_t kErrorCodes = 128;
constexpr Bytes kOtherErrors = "ERRORSTATS_OVERFLOW";   // as Redis calls it

}  // namespace

void Dispatcher::count_error(Bytes code) {
  stats_.total_errors++;
  auto it = stats_.errors.find(code);
  if (it != stats_.errors.end()) {
    it->second++;
  } else if (stats_.errors.size() < kErrorCodes) {
    stats_.errors.emplace(code, 1);
  } else if (stats_.errors[std::string(kOtherErrors)]++ == 0) {
    log(LogLevel::warning,
        "%zu different error codes are counted, as many as there is room for: others count as %s until CONFIG "
        "RESETSTAT. Scripts that put data into the first word of an error do this.",
        kErrorCodes, kOtherErrors.data());
  }
}

Dispatcher::Outcome Dispatcher::run(Session& session, const Prepared& p) {
  OutputBuffer::Mark before{};
  bool muted = session.is_muted();
  if (muted) before = session.out.mark();
  if (__builtin_expect(passes_freely(session, p), 1)) {
    execute(session, p.command, p.argv, p.hash, p.key, false, nullptr);
    if (waiters_.fed()) serve_waiters();
  } else if (refused(session, p)) {
    note_refusal(session, p);
    if (session.tracking) Tracking::command_done(session, p.command);
  } else if (must_hold(session, p)) {
    return Outcome::held;
  } else if (!queue_in_transaction(session, p)) {
    execute(session, p.command, p.argv, p.hash, p.key, false, nullptr);
    if (waiters_.fed()) serve_waiters();
    if (session.tracking) Tracking::command_done(session, p.command);
  }
  session.commands++;
  if (muted) finish_reply(session, before);
  if (__builtin_expect(session.pushes != nullptr, 0)) send_pushes(session);
  return session.parked ? Outcome::parked : Outcome::done;
}

// CLIENT REPLY OFF and SKIP: what was written is taken back.
void Dispatcher::finish_reply(Session& session, OutputBuffer::Mark before) {
  if (session.reply_mode == ReplyMode::on) return;
  session.out.truncate(before);
  if (!session.parked) session.end_skipping();   // else what it waits for is its reply
}

// What comes behind the reply.
void Dispatcher::send_pushes(Session& session) {
  session.out.append(*session.pushes);
  session.pushes.reset();
  if (session.peer) session.peer->schedule_flush();
}

void Dispatcher::forget(Session& session) {
  waiters_.release(session);
  discard_transaction(session, watches_);
  pubsub_.forget(session);
  tracking_.stop(session);
}

void Dispatcher::run_nested(Session& session, Command* command, std::span<const Bytes> argv) {
  Bytes key;
  uint64_t hash = 0;
  if (command->first_key > 0 && static_cast<size_t>(command->first_key) < argv.size()) {
    key = argv[static_cast<size_t>(command->first_key)];
    hash = hash_bytes(key);
  }
  execute(session, command, argv, hash, key, true, nullptr);
}

Dispatcher::Replayed Dispatcher::replay(Session& session, const Prepared& p) {
  Command* command = p.command;
  switch (place_in_log(command ? command->info : nullptr, p.argv.size())) {
    case LogPlace::replayed: break;
    case LogPlace::skipped: return Replayed::skipped;
    case LogPlace::unknown: return Replayed::unknown;
    case LogPlace::misplaced: return Replayed::misplaced;
  }
  uint64_t errors = session.reply.errors();
  auto outer_in_hand = std::exchange(in_hand_, p.argv);
  auto outer_session = std::exchange(session_in_hand_, &session);
  Call call(session, command, p.argv, keyspace_, unheard_, waiters_, p.hash, p.key);
  call.may_block = false;
  if (command->handler) command->handler(call);
  else command->bound(call);
  in_hand_ = outer_in_hand;
  session_in_hand_ = outer_session;
  return session.reply.errors() == errors ? Replayed::done : Replayed::failed;
}

namespace {

// No less than request_size(): cheap to tell while the arguments lie where they were read, one behind the other; those
// of a queued or a parked command are copies.
size_t request_bound(std::span<const Bytes> argv, bool copied) {
  if (__builtin_expect(copied, 0)) return request_size(argv);
  constexpr size_t kMostFrame = 16;
  size_t bytes = static_cast<size_t>(argv.back().data() + argv.back().size() - argv.front().data());
  return bytes + kMostFrame * (argv.size() + 1);
}

// How many calls from scripts one that is timed stands for; 0: this one is not timed. A script makes a hundred thousand
// calls of a tenth of a microsecond: two stamps each would be a tenth of its time.
unsigned calls_timed_by_one(uint64_t calls_before) {
  constexpr uint64_t kAllTimed = 64;
  constexpr unsigned kEvery = 8;
  if (calls_before < kAllTimed) return 1;
  return calls_before % kEvery == 0 ? kEvery : 0;
}

void count_time(Command::Stats& stats, uint64_t duration, unsigned calls, bool with_histogram) {
  stats.ticks += duration * calls;
  if (!with_histogram) return;
  if (!stats.histogram) stats.histogram = std::make_unique<LatencyHistogram>();
  for (uint64_t ns = ticks_to_ns(duration); calls > 0; calls--) stats.histogram->record(ns);
}

}  // namespace

void Dispatcher::execute(Session& session, Command* command, std::span<const Bytes> argv, uint64_t hash, Bytes key,
                         bool nested, const Bytes* fed_key) {
  std::span<const Bytes> outer_in_hand = in_hand_;
  Session* const outer_session = session_in_hand_;
  const bool scripted = session.origin == Origin::script;
  in_hand_ = argv;
  // What a script does, its client does.
  if (!scripted || !outer_session) session_in_hand_ = &session;
  Session& asking = *session_in_hand_;
  session.last_command = command;
  const unsigned stands_for = scripted ? calls_timed_by_one(command->stats.calls) : 1;
  // The end of one command is the start of the next of its batch: one stamp each.
  uint64_t start = !stands_for ? 0 : nested || !last_stamp_ ? ticks() : last_stamp_;
  uint64_t errors = session.reply.errors(), nested_errors = nested_errors_;
  size_t pending = session.out.pending();
  if (__builtin_expect(start - time_stamp_ > time_holds_ticks_, 0) && depth_ == 0) renew_time(start);

  Call call(session, command, argv, keyspace_, effects_, waiters_, hash, key);
  call.may_block = !nested;
  call.retried = fed_key;
  if (fed_key) call.fed_key = *fed_key;
  effects_.begin_command(session.db);
  bool was_running = std::exchange(session.running, true);
  depth_++;
  if (command->handler) command->handler(call);
  else command->bound(call);
  session.running = was_running;
  if (__builtin_expect(asking.tracking != nullptr, 0)) tracking_.remember(asking, *command, argv);
  depth_--;
  effects_.end_command(argv, call.changed());
  if (__builtin_expect(!observers_.empty(), 0) && !fed_key && !call.shown)
    for (CallObserver* observer : observers_) observer->on_call(session, *command, argv);
  if (depth_ == 0) effects_.close_unit();

  uint64_t end = stands_for ? ticks() : 0, duration = end - start;
  if (!nested) last_stamp_ = end;
  if (!nested && duration > longest_ticks_) longest_ticks_ = duration, longest_command_ = command;
  // A parked command that runs again is still the same call.
  if (!fed_key) stats_.commands++, command->stats.calls++;
  if (stands_for) count_time(command->stats, duration, stands_for, options_.observe.latency_tracking && !fed_key);
  // An error of a command that EXEC has run is counted there. (Scripts say which errors are their own.)
  if (__builtin_expect(session.reply.errors() != errors, 0) && nested_errors_ == nested_errors) {
    nested_errors_ += nested && !scripted;
    if (call.refused && !fed_key) stats_.commands--, command->stats.calls--, command->stats.rejected++;
    else command->stats.failed++;
    count_error(session.reply.last_error_code());
  }
  if (!call.slow_path && stands_for) {
    // What scripts call nobody has sent: it may be slow, but not large.
    size_t request = scripted ? 0 : request_bound(argv, nested || fed_key);
    size_t written = scripted ? 0 : session.out.pending() - pending;
    if (__builtin_expect(duration >= thresholds.slow_ticks || request >= thresholds.request_bytes ||
                             written >= thresholds.reply_bytes, 0))
      for (CallObserver* observer : notable_observers_)
        observer->on_notable(session, *command, argv, ticks_to_ns(duration), scripted ? 0 : request_size(argv),
                             written);
  }
  in_hand_ = outer_in_hand;
  session_in_hand_ = outer_session;
}

void Dispatcher::begin_turn(int64_t now_ms, uint64_t stamp) {
  keyspace_.set_now(now_ms);
  time_stamp_ = stamp;
  longest_ticks_ = 0, longest_command_ = nullptr;
}

void Dispatcher::renew_time(uint64_t stamp) {
  if (!wall_ms || data_gate.loading) return;   // a load happens at one moment
  keyspace_.set_now(wall_ms());
  time_stamp_ = stamp;
}

void Dispatcher::serve_waiters() {
  if (serving_ || depth_ > 0) return;
  serving_ = true;
  waiters_.serve(sessions_, [this](Session& session, Command* command, std::span<const Bytes> argv, Bytes fed) {
    Prepared p = prepare(argv);
    stats_.blocked_runs++;
    bool muted = session.is_muted();
    OutputBuffer::Mark before = muted ? session.out.mark() : OutputBuffer::Mark{};
    if (refuse_denied(session, p)) count_refusal(session, p);
    else execute(session, command, argv, p.hash, p.key, false, &fed);
    if (muted) finish_reply(session, before);
    if (session.pushes) send_pushes(session);
    if (!session.parked && session.peer) session.peer->resume();
  });
  serving_ = false;
}

void Dispatcher::pause(int64_t until_ms, bool writes_only) {
  // A pause under way is only ever made longer and stricter.
  bool active = paused(keyspace_.now_ms());
  pause_writes_only_ = active ? pause_writes_only_ && writes_only : writes_only;
  pause_until_ms_ = active ? std::max(pause_until_ms_, until_ms) : until_ms;
  keyspace_.hold_removals(true);
}

void Dispatcher::unpause() {
  pause_until_ms_ = 0;
  keyspace_.hold_removals(false);
}

std::vector<SessionId> Dispatcher::take_held() {
  std::vector<SessionId> held;
  held.swap(held_);
  return held;
}

void Dispatcher::reset_stats() {
  stats_ = {};
  acl_->stats = {};
  registry_.reset_stats();
}

}  // namespace vitrine
