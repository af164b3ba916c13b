// AclUser: a name, what proves it (passwords, kept as SHA-256), whether it is in use, and what it may do.
//
//   user alice on #2d9c75… ~cached:* resetchannels -@all +get (~objects:* resetchannels -@all +set)
//        name  flags hash  |- the root selector ------------| |- a selector -------------------|
#pragma once

#include <expected>
#include <span>
#include <string>
#include <vector>

#include "engine/acl_options.h"
#include "engine/acl_selector.h"

namespace vitrine {

class AclUser {
 public:
  // Off, without passwords, may do nothing.
  // `channels` is asked whenever the user, or a selector, begins anew.
  AclUser(Bytes name, const ChannelDefault& channels);
  // As the default user begins: on, without a password, may do everything.
  static AclUser all_powerful(Bytes name, const ChannelDefault& channels);

  // Applies rules in order, each as ACL SETUSER takes it; selectors are one word with their parentheses. The result is
  // empty, or why the first that is wrong is; `at` is then its index. The user may be half changed: apply to a copy.
  std::string apply(std::span<const std::string> rules, size_t& at);
  // requirepass: this password alone, or none if it is empty.
  void set_only_password(Bytes password);

  // True when the password is one of the user's. Takes as long for a wrong one as for a right one.
  bool knows(Bytes password) const;
  AclVerdict check(const AclCall& call) const;
  bool may_use_channel(Bytes channel, bool is_pattern) const;
  bool may_read_all_keys() const;
  // Nothing is denied to it.
  bool allows_everything() const;
  bool knows_databases() const;

  const std::string& name() const { return name_; }
  bool enabled() const { return enabled_; }
  bool needs_no_password() const { return no_password_; }
  std::vector<Bytes> flags() const;
  const std::vector<std::string>& password_hashes() const { return passwords_; }
  const AclSelector& root() const { return root_; }
  const std::vector<AclSelector>& selectors() const { return selectors_; }
  // All of it but the name, as rules that bring it back.
  std::string text() const;

  bool operator==(const AclUser&) const = default;

 private:
  // sanitize-payload: as it was told, for RESTORE.
  enum class Payload : uint8_t { untold, sanitize, skip };

  std::string apply(const std::string& rule);
  std::string apply_password_rule(Bytes rule);
  std::string add_selector(Bytes rules);
  void reset();

  std::string name_;
  const ChannelDefault* channels_;
  bool enabled_ = false, no_password_ = false;
  Payload payload_ = Payload::untold;
  std::vector<std::string> passwords_;       // SHA-256 in hexadecimal digits
  AclSelector root_;
  std::vector<AclSelector> selectors_;
};

// Joins words from the one that opens a parenthesis to the one that closes it: "(+get", "~a)" is one rule. The result
// is empty, or the word with a parenthesis that is never closed, or closed more than once.
std::string join_selectors(std::span<const Bytes> words, std::vector<std::string>& rules);

// A rule as others may see it: without the password that it adds or removes.
std::string shown_rule(const std::string& rule);

// The user that a `user` line of the configuration describes, or what is wrong with it. `channels` must outlive the
// user.
struct UserLineProblem {
  std::string reason;
  std::string text;       // the same with the rule that is wrong, without any password
  bool may_wait = false;  // known only when all is there (the name of a command); Redis tells it in the log
};
std::expected<AclUser, UserLineProblem> user_of(const AclOptions::UserLine& line, const ChannelDefault& channels);

}  // namespace vitrine
