#include "cluster/migration.h"

#include <algorithm>
#include <climits>

#include "base/numbers.h"
#include "engine/call.h"
#include "engine/command.h"
#include "persist/payload.h"

namespace vitrine {

namespace {

constexpr Bytes kNoConnection = "IOERR error or timeout connecting to the client";
constexpr Bytes kNotWritten = "IOERR error or timeout writing to target instance";
constexpr Bytes kNotRead = "IOERR error or timeout reading to target instance";
constexpr int kDefaultIdleMs = 1000;

void append_command(std::string& to, std::span<const Bytes> words) {
  to += '*';
  to += std::to_string(words.size());
  to += "\r\n";
  for (Bytes word : words) {
    to += '$';
    to += std::to_string(word.size());
    to += "\r\n";
    to += word;
    to += "\r\n";
  }
}

void append_command(std::string& to, std::initializer_list<Bytes> words) {
  append_command(to, std::span(words.begin(), words.size()));
}

}  // namespace

struct Migration::Request {
  Bytes host, port, user, password;
  bool copies = false, replaces = false, authenticates = false;
  int64_t db = 0;
  int idle_ms = kDefaultIdleMs;
  std::span<const Bytes> keys;

  std::string name() const { return std::string(host) + " " + std::string(port); }
  // False: the error is already the reply.
  bool read(Call& c);
};

bool Migration::Request::read(Call& c) {
  host = c.args.bytes(), port = c.args.bytes();
  keys = c.args.argv().subspan(3, 1);
  Bytes key = c.args.bytes(), db_text = c.args.bytes(), timeout_text = c.args.bytes();
  while (c.args.more()) {
    if (c.args.accept("COPY")) copies = true;
    else if (c.args.accept("REPLACE")) replaces = true;
    else if (c.args.accept("AUTH", 1)) authenticates = true, password = c.args.bytes();
    else if (c.args.accept("AUTH2", 2)) authenticates = true, user = c.args.bytes(), password = c.args.bytes();
    else if (c.args.accept("KEYS")) {
      if (!key.empty())
        c.args.fail("ERR When using MIGRATE KEYS option, the key argument must be set to the empty string");
      keys = c.args.rest();
    } else {
      c.args.fail();
    }
  }
  if (!c.args.done()) return false;
  auto idle = parse_int64(timeout_text), number = parse_int64(db_text);
  if (!idle || !number) return c.reply.error(Args::kNotInteger), false;
  db = *number;
  if (*idle > 0) idle_ms = static_cast<int>(std::min<int64_t>(*idle, INT_MAX));
  return true;
}

// One run: what goes, and how far it has come.
struct Migration::Transfer {
  struct Item {
    Bytes key;
    const Entry* entry;
  };
  std::vector<Item> items;
  bool fresh = false;           // over a connection made for it
  bool heard = false;           // something was answered
  std::vector<Bytes> gone;      // deleted here
  std::string error;

  bool fail(Bytes why) { return error = why, false; }
  // Takes what the other side has said; false for a refusal, the first of which is the error.
  bool accepted(Bytes line) {
    heard = true;
    if (!line.starts_with('-')) return true;
    if (error.empty()) error = "ERR Target instance replied with error: " + std::string(line.substr(1));
    return false;
  }
};

void Migration::migrate(Call& c) {
  Request request;
  if (!request.read(c)) return;
  Transfer transfer;
  for (Bytes key : request.keys)
    if (const Entry* entry = c.find(key)) transfer.items.push_back({key, entry});
  if (transfer.items.empty()) return c.reply.simple("NOKEY");
  bool done = move(c, request, transfer);
  // The other side may have closed a connection that was kept: that says nothing of a new one.
  if (!done && !transfer.fresh && !transfer.heard) {
    transfer.error.clear();
    done = move(c, request, transfer);
  }
  if (!transfer.gone.empty()) {
    transfer.gone.insert(transfer.gone.begin(), "DEL");
    c.effects.replace(transfer.gone);
  }
  done && transfer.error.empty() ? c.reply.ok() : c.reply.error(transfer.error);
}

// False when the connection failed; then it is closed.
bool Migration::move(Call& c, const Request& request, Transfer& transfer) {
  auto at = line_to(request, c.now_ms, transfer);
  if (at == lines_.end()) return false;
  Line& line = at->second;
  bool alive = greet(line, request, transfer);
  if (alive && transfer.error.empty())
    alive = send_keys(line, request, c.now_ms, transfer) && hear_answers(c, line, request, transfer);
  if (!alive) {
    // Waiting once more would not help.
    transfer.heard |= line.connection.timed_out();
    lines_.erase(at);
  }
  return alive;
}

Migration::Lines::iterator Migration::line_to(const Request& request, int64_t now_ms, Transfer& transfer) {
  auto at = lines_.find(request.name());
  transfer.fresh = at == lines_.end();
  if (transfer.fresh) {
    int port = static_cast<int>(std::clamp<int64_t>(parse_int64(request.port).value_or(0), 0, USHRT_MAX));
    auto connection = net::BlockingConnection::open(std::string(request.host), port, request.idle_ms);
    if (!connection) return transfer.fail(kNoConnection), lines_.end();
    if (lines_.size() >= kMostKept) lines_.erase(lines_.begin());
    at = lines_.emplace(request.name(), Line{std::move(*connection)}).first;
  }
  at->second.used_ms = now_ms;
  return at;
}

// Says who we are and where the keys belong, and hears the answers first: keys must not end up in another database.
bool Migration::greet(Line& line, const Request& request, Transfer& transfer) {
  std::string words;
  if (request.authenticates && request.user.empty()) append_command(words, {"AUTH", request.password});
  else if (request.authenticates) append_command(words, {"AUTH", request.user, request.password});
  bool selects = line.db != request.db;
  if (selects) append_command(words, {"SELECT", std::to_string(request.db)});
  if (words.empty()) return true;
  if (!line.connection.write_all(words, request.idle_ms)) return transfer.fail(kNotWritten);
  line.db = kNoDb;
  bool accepted = true;
  std::string answer;
  for (int left = request.authenticates + selects; left > 0; left--) {
    if (!line.connection.read_line(answer, request.idle_ms)) return transfer.fail(kNotRead);
    accepted &= transfer.accepted(answer);
  }
  if (accepted) line.db = request.db;
  return true;
}

bool Migration::send_keys(Line& line, const Request& request, int64_t now_ms, Transfer& transfer) {
  constexpr size_t kPieceBytes = 1 << 20;
  std::string words;
  for (const Transfer::Item& item : transfer.items) {
    int64_t at_ms = item.entry->expire_at_ms();
    std::string ttl = std::to_string(at_ms == kNoExpiry ? 0 : std::max<int64_t>(at_ms - now_ms, 1));
    with_payload(*item.entry, options_, [&](Bytes payload) {
      if (request.replaces) append_command(words, {"RESTORE", item.key, ttl, payload, "REPLACE"});
      else append_command(words, {"RESTORE", item.key, ttl, payload});
    });
    if (words.size() < kPieceBytes) continue;
    if (!line.connection.write_all(words, request.idle_ms)) return transfer.fail(kNotWritten);
    words.clear();
  }
  return line.connection.write_all(words, request.idle_ms) || transfer.fail(kNotWritten);
}

bool Migration::hear_answers(Call& c, Line& line, const Request& request, Transfer& transfer) {
  std::string answer;
  for (const Transfer::Item& item : transfer.items) {
    if (!line.connection.read_line(answer, request.idle_ms)) return transfer.fail(kNotRead);
    if (transfer.accepted(answer) && !request.copies && c.remove(item.key)) transfer.gone.push_back(item.key);
  }
  return true;
}

void Migration::tend(int64_t now_ms) {
  std::erase_if(lines_, [&](const auto& line) { return now_ms - line.second.used_ms > kKeptMs; });
}

void Migration::add_commands(CommandRegistry& registry) {
  registry.add("migrate", [this](Call& c) { migrate(c); });
}

}  // namespace vitrine
