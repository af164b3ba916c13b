// AclSelector: one set of permissions: which commands, on which keys, channels and databases. A user has one of their
// own (the root) and any number in parentheses; a command is permitted when one of them permits the whole of it.
//
// Commands are kept twice: as bits by CommandInfo::number, which is what a check reads, and as the rules that led
// there, which is what people read. Rules are kept in the order given; those without effect, or overruled by later
// ones, are forgotten:
//
//   -@all +@read +get -@dangerous      →  -@all +@read -@dangerous      (+get was in +@read)
//   +@all -config +config|get -config  →  +@all -config
//
// `+select|0` permits a command that is otherwise denied if its first argument is this word; such rules only add, and
// any later rule about the command, or about a category it is in, ends them.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "engine/acl_options.h"

namespace vitrine {

struct CommandInfo;
struct KeyAt;

// Why something was denied, the least telling reason first.
enum class AclReason : uint8_t { none, command, database, key, channel, auth, tls_cert };

struct AclVerdict {
  AclReason reason = AclReason::none;
  std::string object;                        // what was denied: a command, a key, a channel ...
  bool permitted() const { return reason == AclReason::none; }
};

// What one call touches, found once for all selectors of a user.
struct AclCall {
  const CommandInfo& info;
  std::span<const Bytes> argv;
  std::span<const KeyAt> keys;
  std::span<const Bytes> channels;
  bool channels_are_patterns = false;        // PSUBSCRIBE: they must stand among the user's, word for word
  std::span<const int64_t> databases;
  bool all_databases = false;                // FLUSHALL
};

class AclSelector {
 public:
  explicit AclSelector(ChannelDefault channels);

  // Applies one rule: "+get", "~app:*", "resetchannels" ... The result is empty, or why not.
  std::string apply(Bytes rule);
  // Everything that any rule could give.
  void allow_everything();

  // The verdict, and at which place of the call's keys or channels it was denied.
  AclReason check(const AclCall& call, size_t& at) const;
  bool may_use_channel(Bytes channel, bool is_pattern) const;
  bool may_read_all_keys() const;
  bool allows_everything() const;
  bool knows_databases() const { return !all_databases_; }

  // As ACL LIST writes them: "~a* %R~b*", "resetchannels &c*", "db=0,1", "-@all +get".
  std::string keys_text() const;
  std::string channels_text() const;         // as ACL GETUSER shows it: without resetchannels
  std::string databases_text() const;        // "alldbs" where every one is allowed
  std::string commands_text() const;
  std::string text() const;

  bool operator==(const AclSelector&) const = default;

 private:
  struct KeyPattern {
    std::string pattern;
    bool read, write;
    bool operator==(const KeyPattern&) const = default;
  };
  struct CommandRule {
    enum class About : uint8_t { category, command, first_argument };
    About about;
    bool allow;
    uint32_t category;                       // of a category
    const CommandInfo* info;                 // of a command
    std::string word;                        // "@read", "get", "config|get", "select|0"
    bool operator==(const CommandRule&) const = default;
  };
  struct Commands {
    std::vector<uint64_t> bits;
    std::map<uint16_t, std::vector<std::string>> first_arguments;
    bool has(size_t number) const { return bits[number / 64] >> (number % 64) & 1; }
    bool operator==(const Commands&) const = default;
  };

  std::string apply_command_rule(Bytes rule);
  std::string add_key_pattern(Bytes rule);
  std::string add_channel_pattern(Bytes pattern);
  std::string set_databases(Bytes list);
  void set_all_commands(bool allow);
  void add(CommandRule rule);
  static void run(const CommandRule& rule, Commands& commands);
  static bool touches(const CommandRule& rule, const CommandInfo& info);
  void forget_idle_rules();
  bool may_run(const AclCall& call) const;
  bool may_use_key(Bytes key, uint16_t flags) const;
  bool may_use_databases(const AclCall& call) const;

  Commands commands_;
  bool from_all_ = false;                    // rules_ start from +@all, else from -@all
  std::vector<CommandRule> rules_;
  bool all_keys_ = false, all_channels_, all_databases_ = true;
  std::vector<KeyPattern> keys_;
  std::vector<std::string> channels_;
  std::vector<int64_t> databases_;           // sorted
};

}  // namespace vitrine
