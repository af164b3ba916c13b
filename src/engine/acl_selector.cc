#include "engine/acl_selector.h"

#include <algorithm>

#include "base/glob.h"
#include "base/numbers.h"
#include "engine/command_table.h"
#include "engine/key_finder.h"

namespace vitrine {

namespace {

constexpr const char* kUnknownCommand = "Unknown command or category name in ACL";
constexpr const char* kSyntaxError = "Syntax error";
constexpr const char* kKeysAfterAll =
    "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try "
    "'resetkeys' to start with an empty list of patterns";
constexpr const char* kChannelsAfterAll =
    "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try "
    "'resetchannels' to start with an empty list of channels";

template <class Visit>
void for_each_command(Visit visit) {
  for (const CommandInfo& info : command_infos()) {
    visit(info);
    for (const CommandInfo& sub : info.subcommands) visit(sub);
  }
}

size_t count_commands() {
  static const size_t count = [] {
    size_t n = 0;
    for_each_command([&](const CommandInfo& info) { n = std::max<size_t>(n, info.number + 1); });
    return n;
  }();
  return count;
}

// The bit of a category by its name in lower case; 0: there is none.
uint32_t category_named(Bytes name) {
  auto names = acl_category_names();
  for (size_t i = 0; i < names.size(); i++)
    if (names[i] == name) return 1u << i;
  return 0;
}

bool contains_word(const std::vector<std::string>& words, Bytes wanted) {
  return std::any_of(words.begin(), words.end(),
                     [&](const std::string& word) { return equals_ignoring_case(word, wanted); });
}

bool has_blank(Bytes text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return c == ' ' || (c >= '\t' && c <= '\r') || c == 0; });
}

}  // namespace

AclSelector::AclSelector(ChannelDefault channels) : all_channels_(channels == ChannelDefault::all) {
  set_all_commands(false);
}

void AclSelector::set_all_commands(bool allow) {
  size_t count = count_commands();
  commands_.bits.assign((count + 63) / 64, allow ? ~uint64_t{0} : 0);
  commands_.first_arguments.clear();
  rules_.clear();
  from_all_ = allow;
}

void AclSelector::allow_everything() {
  set_all_commands(true);
  keys_.clear(), channels_.clear(), databases_.clear();
  all_keys_ = all_channels_ = all_databases_ = true;
}

bool AclSelector::allows_everything() const {
  return all_keys_ && all_channels_ && all_databases_ &&
         std::all_of(commands_.bits.begin(), commands_.bits.end(), [](uint64_t word) { return word == ~uint64_t{0}; });
}

// ---- rules ----

std::string AclSelector::apply(Bytes rule) {
  std::string word = to_lower(rule);
  if (word == "allkeys") rule = "~*", word = "~*";
  if (word == "allchannels") rule = "&*", word = "&*";
  if (word == "allcommands" || word == "+@all") return set_all_commands(true), "";
  if (word == "nocommands" || word == "-@all") return set_all_commands(false), "";
  if (word == "resetkeys") return keys_.clear(), all_keys_ = false, "";
  if (word == "resetchannels") return channels_.clear(), all_channels_ = false, "";
  if (word == "alldbs") return databases_.clear(), all_databases_ = true, "";
  if (word == "resetdbs") return databases_.clear(), all_databases_ = false, "";
  if (word.starts_with("db=")) return set_databases(rule.substr(3));
  if (rule.empty()) return "";
  if (rule[0] == '~' || rule[0] == '%') return add_key_pattern(rule);
  if (rule[0] == '&') return add_channel_pattern(rule.substr(1));
  if (rule[0] == '+' || rule[0] == '-') return apply_command_rule(rule);
  return kSyntaxError;
}

// ~pattern, %R~pattern, %W~pattern, %RW~pattern.
std::string AclSelector::add_key_pattern(Bytes rule) {
  if (all_keys_) return rule == "~*" ? "" : kKeysAfterAll;
  bool read = rule[0] == '~', write = read;
  size_t at = 1;
  for (; rule[0] == '%' && at < rule.size() && rule[at] != '~'; at++) {
    char c = rule[at] & ~0x20;
    bool& flag = c == 'R' ? read : write;
    if ((c != 'R' && c != 'W') || flag) return kSyntaxError;
    flag = true;
  }
  if (!read && !write) return kSyntaxError;
  if (rule[0] == '%') at++;
  std::string pattern(rule.substr(std::min(at, rule.size())));
  if (has_blank(pattern)) return kSyntaxError;
  auto known = std::find_if(keys_.begin(), keys_.end(), [&](const KeyPattern& k) { return k.pattern == pattern; });
  if (known != keys_.end()) read |= known->read, write |= known->write;
  if (pattern == "*" && read && write) return keys_.clear(), all_keys_ = true, "";
  if (known == keys_.end()) return keys_.push_back({std::move(pattern), read, write}), "";
  known->read = read, known->write = write;
  return "";
}

std::string AclSelector::add_channel_pattern(Bytes pattern) {
  if (all_channels_ && pattern != "*") return kChannelsAfterAll;
  if (has_blank(pattern)) return kSyntaxError;
  if (pattern == "*") return channels_.clear(), all_channels_ = true, "";
  if (std::find(channels_.begin(), channels_.end(), pattern) == channels_.end()) channels_.emplace_back(pattern);
  return "";
}

std::string AclSelector::set_databases(Bytes list) {
  std::vector<int64_t> found;
  while (true) {
    size_t comma = list.find(',');
    auto number = parse_int64(list.substr(0, comma));
    if (!number || *number < 0 || *number > INT32_MAX) return "The provided database id is not a valid number";
    found.push_back(*number);
    if (comma == Bytes::npos) break;
    list.remove_prefix(comma + 1);
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  databases_ = std::move(found);
  all_databases_ = false;
  return "";
}

// REQUIRES: "+" or "-" first.
std::string AclSelector::apply_command_rule(Bytes rule) {
  using About = CommandRule::About;
  bool allow = rule[0] == '+';
  std::string lower = to_lower(rule.substr(1));
  Bytes word = lower;
  if (word.starts_with('@')) {
    uint32_t category = category_named(word.substr(1));
    if (!category) return kUnknownCommand;
    return add({About::category, allow, category, nullptr, std::string(word)}), "";
  }
  if (const CommandInfo* info = find_command_info(word))
    return add({About::command, allow, 0, info, std::string(word)}), "";
  size_t bar = word.rfind('|');
  const CommandInfo* info = bar == Bytes::npos || !allow ? nullptr : find_command_info(word.substr(0, bar));
  if (info && bar + 1 == word.size()) return kSyntaxError;
  if (!info || !info->subcommands.empty()) return kUnknownCommand;
  if (has_blank(rule)) return kSyntaxError;   // a line that is written of it would not say the same
  if (info->full_name != info->name) return "Allowing first-arg of a subcommand is not supported";
  return add({About::first_argument, true, 0, info, lower.substr(0, bar) + std::string(rule.substr(bar + 1))}), "";
}

bool AclSelector::touches(const CommandRule& rule, const CommandInfo& info) {
  if (rule.about == CommandRule::About::category) return info.categories & rule.category;
  if (&info == rule.info) return true;
  for (const CommandInfo& sub : rule.info->subcommands)
    if (&sub == &info) return true;
  return false;
}

void AclSelector::run(const CommandRule& rule, Commands& commands) {
  if (rule.about == CommandRule::About::first_argument) {
    std::string argument = rule.word.substr(rule.word.rfind('|') + 1);
    if (commands.has(rule.info->number)) return;
    auto& known = commands.first_arguments[rule.info->number];
    if (!contains_word(known, argument)) known.push_back(std::move(argument));
    return;
  }
  for_each_command([&](const CommandInfo& info) {
    if (!touches(rule, info)) return;
    uint64_t bit = uint64_t{1} << (info.number % 64), &word = commands.bits[info.number / 64];
    word = rule.allow ? word | bit : word & ~bit;
    commands.first_arguments.erase(info.number);
  });
}

void AclSelector::add(CommandRule rule) {
  run(rule, commands_);
  rules_.push_back(std::move(rule));
  forget_idle_rules();
}

void AclSelector::forget_idle_rules() {
  // Overruled: all that a rule says is said otherwise, or again, by later ones.
  std::vector<bool> said(count_commands());
  for (size_t i = rules_.size(); i-- > 0;) {
    const CommandRule rule = rules_[i];
    bool overruled = true;
    for_each_command([&](const CommandInfo& info) {
      if (touches(rule, info) && !said[info.number]) overruled = false;
    });
    if (overruled) rules_.erase(rules_.begin() + static_cast<ptrdiff_t>(i));
    if (rule.about == CommandRule::About::first_argument) continue;
    for_each_command([&](const CommandInfo& info) {
      if (touches(rule, info)) said[info.number] = true;
    });
  }
  // Idle: it was so already.
  Commands so_far{std::vector<uint64_t>(commands_.bits.size(), from_all_ ? ~uint64_t{0} : 0), {}};
  std::erase_if(rules_, [&](const CommandRule& rule) {
    Commands before = so_far;
    run(rule, so_far);
    return so_far == before;
  });
}

// ---- checks ----

bool AclSelector::may_run(const AclCall& call) const {
  if (commands_.has(call.info.number) || call.info.flags & command_flag::kNoAuth) return true;
  auto found = commands_.first_arguments.find(call.info.number);
  if (found == commands_.first_arguments.end() || call.argv.size() < 2) return false;
  return contains_word(found->second, call.argv[1]);
}

bool AclSelector::may_use_key(Bytes key, uint16_t flags) const {
  if (all_keys_) return true;
  bool reads = flags & key_flag::kAccess;
  bool writes = flags & (key_flag::kInsert | key_flag::kUpdate | key_flag::kDelete);
  for (const KeyPattern& p : keys_)
    if ((p.read || !reads) && (p.write || !writes) && glob_match(p.pattern, key)) return true;
  return false;
}

bool AclSelector::may_use_channel(Bytes channel, bool is_pattern) const {
  if (all_channels_) return true;
  return std::any_of(channels_.begin(), channels_.end(), [&](const std::string& allowed) {
    return is_pattern ? allowed == channel : glob_match(allowed, channel);
  });
}

bool AclSelector::may_use_databases(const AclCall& call) const {
  if (all_databases_) return true;
  if (call.all_databases) return false;
  return std::all_of(call.databases.begin(), call.databases.end(),
                     [&](int64_t db) { return std::binary_search(databases_.begin(), databases_.end(), db); });
}

bool AclSelector::may_read_all_keys() const {
  return all_keys_ || std::any_of(keys_.begin(), keys_.end(),
                                  [](const KeyPattern& p) { return p.read && p.pattern == "*"; });
}

AclReason AclSelector::check(const AclCall& call, size_t& at) const {
  at = 0;
  if (!may_run(call)) return AclReason::command;
  if (!may_use_databases(call)) return AclReason::database;
  for (; at < call.keys.size(); at++)
    if (!may_use_key(call.argv[call.keys[at].index], call.keys[at].flags)) return AclReason::key;
  for (at = 0; at < call.channels.size(); at++)
    if (!may_use_channel(call.channels[at], call.channels_are_patterns)) return AclReason::channel;
  return AclReason::none;
}

// ---- texts ----

std::string AclSelector::keys_text() const {
  if (all_keys_) return "~*";
  std::string text;
  for (const KeyPattern& p : keys_)
    (text += text.empty() ? "" : " ") += (p.read && p.write ? "~" : p.read ? "%R~" : "%W~") + p.pattern;
  return text;
}

std::string AclSelector::channels_text() const {
  if (all_channels_) return "&*";
  std::string text;
  for (const std::string& pattern : channels_) (text += text.empty() ? "&" : " &") += pattern;
  return text;
}

std::string AclSelector::databases_text() const {
  if (all_databases_) return "alldbs";
  if (databases_.empty()) return "resetdbs";
  std::string text;
  for (int64_t db : databases_) (text += text.empty() ? "db=" : ",") += std::to_string(db);
  return text;
}

std::string AclSelector::commands_text() const {
  std::string text = from_all_ ? "+@all" : "-@all";
  for (const CommandRule& rule : rules_) (text += rule.allow ? " +" : " -") += rule.word;
  return text;
}

std::string AclSelector::text() const {
  std::string text = keys_text();
  auto add_word = [&](const std::string& word) {
    if (!word.empty()) (text += text.empty() ? "" : " ") += word;
  };
  if (!all_channels_) add_word("resetchannels");
  add_word(channels_text());
  if (!all_databases_) add_word(databases_text());
  add_word(commands_text());
  return text;
}

}  // namespace vitrine
