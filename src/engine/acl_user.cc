#include "engine/acl_user.h"

#include <algorithm>

#include "base/sha256.h"
#include "engine/key_finder.h"

namespace vitrine {

namespace {

constexpr const char* kBadHash =
    "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters";
constexpr const char* kNoSuchPassword = "The password you are trying to remove from the user does not exist";

bool is_about_password(Bytes rule) { return !rule.empty() && Bytes("><#!").find(rule[0]) != Bytes::npos; }

bool is_hash(Bytes text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == Bytes::npos;
}

// Without a branch on the content.
bool same_hash(Bytes a, Bytes b) {
  unsigned difference = 0;
  for (size_t i = 0; i < a.size(); i++) difference |= static_cast<unsigned>(a[i] ^ b[i]);
  return difference == 0;
}

}  // namespace

AclUser::AclUser(Bytes name, const ChannelDefault& channels) : name_(name), channels_(&channels), root_(channels) {}

AclUser AclUser::all_powerful(Bytes name, const ChannelDefault& channels) {
  AclUser user(name, channels);
  user.enabled_ = user.no_password_ = true;
  user.root_.allow_everything();
  return user;
}

void AclUser::reset() {
  enabled_ = no_password_ = false;
  payload_ = Payload::sanitize;
  passwords_.clear();
  selectors_.clear();
  root_ = AclSelector(*channels_);
}

std::string AclUser::apply(std::span<const std::string> rules, size_t& at) {
  for (at = 0; at < rules.size(); at++)
    if (std::string problem = apply(rules[at]); !problem.empty()) return problem;
  return "";
}

std::string AclUser::apply(const std::string& rule) {
  std::string word = to_lower(rule);
  if (word == "on") return enabled_ = true, "";
  if (word == "off") return enabled_ = false, "";
  if (word == "nopass") return no_password_ = true, passwords_.clear(), "";
  if (word == "resetpass") return no_password_ = false, passwords_.clear(), "";
  if (word == "sanitize-payload") return payload_ = Payload::sanitize, "";
  if (word == "skip-sanitize-payload") return payload_ = Payload::skip, "";
  if (word == "reset") return reset(), "";
  if (word == "clearselectors") return selectors_.clear(), "";
  if (is_about_password(word)) return apply_password_rule(rule);
  if (word.starts_with('(') && word.ends_with(')')) return add_selector(Bytes(rule).substr(1, rule.size() - 2));
  return root_.apply(rule);
}

// >password adds, <password removes, #hash adds, !hash removes.
std::string AclUser::apply_password_rule(Bytes rule) {
  bool hashed = rule[0] == '#' || rule[0] == '!', adds = rule[0] == '>' || rule[0] == '#';
  if (hashed && !is_hash(rule.substr(1))) return kBadHash;
  std::string hash = hashed ? std::string(rule.substr(1)) : sha256_hex(rule.substr(1));
  auto known = std::find(passwords_.begin(), passwords_.end(), hash);
  if (adds) {
    if (known == passwords_.end()) passwords_.push_back(std::move(hash));
    no_password_ = false;
    return "";
  }
  if (known == passwords_.end()) return kNoSuchPassword;
  passwords_.erase(known);
  return "";
}

std::string AclUser::add_selector(Bytes rules) {
  AclSelector selector(*channels_);
  while (true) {
    rules.remove_prefix(std::min(rules.find_first_not_of(' '), rules.size()));
    if (rules.empty()) break;
    Bytes rule = rules.substr(0, rules.find(' '));
    if (std::string problem = selector.apply(rule); !problem.empty()) return problem;
    rules.remove_prefix(rule.size());
  }
  selectors_.push_back(std::move(selector));
  return "";
}

void AclUser::set_only_password(Bytes password) {
  passwords_.clear();
  no_password_ = password.empty();
  if (!password.empty()) passwords_.push_back(sha256_hex(password));
}

bool AclUser::knows(Bytes password) const {
  std::string hash = sha256_hex(password);
  bool known = no_password_;
  for (const std::string& each : passwords_) known |= same_hash(each, hash);
  return known;
}

AclVerdict AclUser::check(const AclCall& call) const {
  // Of several refusals that of the selector that went furthest is told.
  AclReason reason = AclReason::none;
  size_t furthest = 0;
  auto denies = [&](const AclSelector& selector) {
    size_t at = 0;
    AclReason found = selector.check(call, at);
    if (found == AclReason::none) return false;
    if (found > reason || (found == reason && at > furthest)) reason = found, furthest = at;
    return true;
  };
  if (!denies(root_)) return {};
  for (const AclSelector& selector : selectors_)
    if (!denies(selector)) return {};
  switch (reason) {
    case AclReason::key: return {reason, std::string(call.argv[call.keys[furthest].index])};
    case AclReason::channel: return {reason, std::string(call.channels[furthest])};
    default: return {reason, ""};
  }
}

bool AclUser::may_use_channel(Bytes channel, bool is_pattern) const {
  return root_.may_use_channel(channel, is_pattern) ||
         std::any_of(selectors_.begin(), selectors_.end(),
                     [&](const AclSelector& s) { return s.may_use_channel(channel, is_pattern); });
}

bool AclUser::may_read_all_keys() const {
  return root_.may_read_all_keys() ||
         std::any_of(selectors_.begin(), selectors_.end(), [](const AclSelector& s) { return s.may_read_all_keys(); });
}

bool AclUser::allows_everything() const {
  return root_.allows_everything() ||
         std::any_of(selectors_.begin(), selectors_.end(), [](const AclSelector& s) { return s.allows_everything(); });
}

bool AclUser::knows_databases() const {
  return root_.knows_databases() ||
         std::any_of(selectors_.begin(), selectors_.end(), [](const AclSelector& s) { return s.knows_databases(); });
}

std::vector<Bytes> AclUser::flags() const {
  std::vector<Bytes> flags{enabled_ ? "on" : "off"};
  if (no_password_) flags.push_back("nopass");
  if (payload_ != Payload::untold)
    flags.push_back(payload_ == Payload::skip ? "skip-sanitize-payload" : "sanitize-payload");
  return flags;
}

std::string AclUser::text() const {
  std::string text;
  for (Bytes flag : flags()) (text += flag) += ' ';
  for (const std::string& hash : passwords_) text += '#' + hash + ' ';
  text += root_.text();
  for (const AclSelector& selector : selectors_) text += " (" + selector.text() + ')';
  return text;
}

std::string shown_rule(const std::string& rule) {
  return is_about_password(rule) ? rule.substr(0, 1) + "(redacted)" : rule;
}

namespace {

// A word of a selector that ends with a parenthesis closes it for whoever reads the line that is written of the user.
// One that begins with a parenthesis will be refused as a rule.
bool closes_early(Bytes rule) {
  if (!rule.starts_with('(') || !rule.ends_with(')')) return false;
  Bytes within = rule.substr(1, rule.size() - 2);
  if (within.starts_with('(') || within.find(" (") != Bytes::npos) return false;
  return within.ends_with(')') || within.find(") ") != Bytes::npos;
}

}  // namespace

std::string join_selectors(std::span<const Bytes> words, std::vector<std::string>& rules) {
  Bytes open;   // the word with the parenthesis that is open
  for (Bytes word : words) {
    if (open.empty()) rules.emplace_back();
    else rules.back() += ' ';
    rules.back() += word;
    if (open.empty() && word.starts_with('(')) open = word;
    if (!word.ends_with(')')) continue;
    if (closes_early(rules.back())) break;
    open = {};
  }
  return std::string(open);
}

}  // namespace vitrine
