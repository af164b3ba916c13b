// What tests share: an engine without a server, and what a server would write to its log, as text.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "engine/dispatcher.h"
#include "engine/effects.h"
#include "engine/session.h"

namespace vitrine {

// Commands are added by whoever uses it. Its clock stands still until the test moves it.
struct BareEngine {
  static constexpr int64_t kStart = 1'700'000'000'000;

  Session& open() {
    Session& session = sessions.open(nullptr, kStart);
    session.authenticated = true;
    return session;
  }
  // The reply, as it would be sent.
  std::string reply_to(Session& session, const std::vector<std::string>& words) {
    std::vector<Bytes> argv(words.begin(), words.end());
    dispatcher.begin_batch();
    dispatcher.run(session, dispatcher.prepare(argv));
    return take_output(session);
  }
  static std::string take_output(Session& session) {
    std::string text = session.out.text();
    session.out.consume(text.size());
    return text;
  }

  ClientOptions clients;
  ObserveOptions observe;
  Allowance guarded = Allowance::no;
  Keyspace::Options options;
  Keyspace keyspace{options, kStart, 1};
  Sessions sessions;
  CommandRegistry registry;
  Waiters waiters{keyspace};
  WatchTable watches{keyspace, sessions};
  Dispatcher dispatcher{{clients, observe, guarded, guarded}, registry, keyspace, sessions, waiters, watches};
};

// Follows from its birth to its end. SELECT, MULTI and EXEC are left out.
class StreamRecorder final : public StreamFollower {
 public:
  explicit StreamRecorder(Effects& effects) : effects_(effects) { effects_.follow(this); }
  ~StreamRecorder() override { effects_.leave(this); }

  void on_stream(Bytes unit) override {
    std::string text;
    while (!unit.empty()) {
      std::string command = take_command(unit);
      if (command.starts_with("SELECT ") || command == "MULTI" || command == "EXEC") continue;
      commands.push_back(command);
      text += (text.empty() ? "" : "; ") + command;
    }
    units.push_back(text);
  }
  std::vector<std::string> take() { return std::exchange(commands, {}); }

  std::vector<std::string> units;      // "SET a 1; DEL a"
  std::vector<std::string> commands;   // one by one

 private:
  static size_t take_number(Bytes& rest) {
    size_t end = rest.find('\r');
    size_t n = std::stoul(std::string(rest.substr(1, end - 1)));
    rest.remove_prefix(end + 2);
    return n;
  }
  static std::string take_command(Bytes& rest) {
    std::string text;
    for (size_t words = take_number(rest); words > 0; words--) {
      size_t bytes = take_number(rest);
      text += rest.substr(0, bytes);
      if (words > 1) text += ' ';
      rest.remove_prefix(bytes + 2);
    }
    return text;
  }

  Effects& effects_;
};

}  // namespace vitrine
