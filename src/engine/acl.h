// Acl: who may do what. It owns the users, proves who asks, and says of every call whether it is permitted.
//
// A session holds its user (Session::acl_user) and one flag, `restricted`: false while the user may do everything, so
// that the common case costs one test. Both are kept up to date here: when a user changes, its sessions feel it with
// their next command, and those who listen to channels that are no longer theirs are disconnected; when it is
// deleted, they are disconnected. A session without a user (a log being loaded, a test) is not restricted.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/acl_log.h"
#include "engine/acl_user.h"

namespace vitrine {

struct AclOptions;
struct CommandInfo;
struct KeyAt;
class Session;
class Sessions;

class Acl {
 public:
  struct Stats {
    uint64_t denied_auth = 0, denied_command = 0, denied_key = 0, denied_channel = 0, denied_database = 0,
             denied_tls_cert = 0;
  };
  using User = std::shared_ptr<AclUser>;

  // Both outlive it.
  Acl(const AclOptions& options, Sessions& sessions);

  // ---- sessions ----

  // A newcomer, or RESET: the default user, authenticated if that one needs no password.
  void welcome(Session& session) const;
  // False while newcomers must authenticate.
  bool open_to_all() const { return default_user_->enabled() && default_user_->needs_no_password(); }
  // AUTH and HELLO: counts and logs what fails.
  bool authenticate(Session& session, Bytes user, Bytes password, Bytes command, int64_t now_ms);
  // Without a password: for a proof of another kind. False when there is no such user in use.
  bool adopt(Session& session, Bytes user) const;

  // ---- permission ----

  // REQUIRES: argv fits the arity of the command; of a container, `info` is the subcommand.
  AclVerdict check(const Session& session, const CommandInfo& info, std::span<const Bytes> argv) const;
  AclVerdict check(const AclUser& user, int db, const CommandInfo& info, std::span<const Bytes> argv) const;
  // Counts and logs a refusal.
  void note(const Session& session, const AclVerdict& verdict, AclContext context, int64_t now_ms);
  // A certificate names nobody who is in use here.
  void note_certificate(const Session& session, Bytes name, int64_t now_ms);
  // As the reply to the command itself; when it was permitted once and is no longer (EXEC); to a script.
  static std::string refusal(const AclVerdict& verdict);
  static std::string refusal_of_queued(const AclVerdict& verdict);
  static std::string refusal_to_script(const AclVerdict& verdict);

  // ---- users ----

  const std::map<std::string, User, std::less<>>& users() const { return users_; }
  const AclUser* find(Bytes name) const;
  // ACL SETUSER: all of it or nothing. The result is empty, or the error reply's text after "ERR ".
  std::string set_user(Bytes name, std::span<const Bytes> rules);
  // False when there is none.
  bool remove_user(Bytes name);
  void set_default_password(Bytes password);
  // The password of the default user was set by requirepass alone and nothing else was changed.
  bool default_is_usual(Bytes password) const;

  // ---- lists of users (engine/acl_file.cc) ----

  // At the start: `user` lines or the aclfile. The result is empty, or why the server must not start.
  std::string load_at_start();
  // ACL LOAD, ACL SAVE; the result is empty, or the error reply's text after "ERR ".
  std::string load_file();
  std::string save_file() const;
  // "user name rules", a line each.
  std::vector<std::string> lines() const;

  AclLog log;
  Stats stats;
  // Told by whoever knows what sessions listen to: false when one listens to what its user may not.
  std::function<bool(const Session&)> may_go_on_listening;

 private:
  using Users = std::map<std::string, User, std::less<>>;
  void take_over(Users users);
  void follow(const User& user);
  void part(Session& session) const;
  std::string read_lines(Bytes text, Users& users) const;
  std::string read_line(Bytes line, const std::string& place, Users& users) const;
  std::string load_configured_users();

  const AclOptions& options_;
  Sessions& sessions_;
  Users users_;
  User default_user_;
};

}  // namespace vitrine
