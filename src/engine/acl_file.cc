// Lists of users: `user` lines of the configuration, and the aclfile.
#include <cerrno>
#include <cstring>

#include "base/config_file.h"
#include "base/log.h"
#include "engine/acl.h"
#include "engine/acl_options.h"

namespace vitrine {

namespace {

constexpr const char* kNothingChanged =
    "WARNING: ACL errors detected, no change to the previously active ACL rules was performed";
constexpr const char* kNoFile =
    "This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER "
    "command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store "
    "users in the Redis configuration.";

std::vector<Bytes> split_at_spaces(Bytes line) {
  std::vector<Bytes> words;
  while (true) {
    line.remove_prefix(std::min(line.find_first_not_of(" \t\r"), line.size()));
    if (line.empty()) return words;
    words.push_back(line.substr(0, line.find_first_of(" \t\r")));
    line.remove_prefix(words.back().size());
  }
}

}  // namespace

// The result is empty, or what is wrong with the line.
std::string Acl::read_line(Bytes line, const std::string& place, Users& users) const {
  std::vector<Bytes> words = split_at_spaces(line);
  if (words.empty()) return "";
  if (words[0] != "user" || words.size() < 2)
    return place + " should start with user keyword followed by the username. ";
  std::string name(words[1]);
  if (users.contains(name))
    return "WARNING: Duplicate user '" + name + "' found on line " + place.substr(place.rfind(':') + 1) + ". ";
  std::vector<std::string> rules;
  if (!join_selectors(std::span(words).subspan(2), rules).empty())
    return place + ": Unmatched parenthesis in selector definition. ";
  auto user = std::make_shared<AclUser>(name, options_.pubsub_default);
  size_t at = 0;
  std::string problem = user->apply(rules, at);
  if (problem == "Syntax error") return place + ": Syntax error. ";
  if (!problem.empty())
    return place + ": Error in applying operation '" + shown_rule(rules[at]) + "': " + problem + ". ";
  users.emplace(name, std::move(user));
  return "";
}

std::string Acl::read_lines(Bytes text, Users& users) const {
  std::string problems;
  for (int number = 1; !text.empty(); number++) {
    Bytes line = text.substr(0, text.find('\n'));
    problems += read_line(line, options_.file + ":" + std::to_string(number), users);
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  return problems;
}

std::string Acl::load_file() {
  if (options_.file.empty()) return kNoFile;
  errno = 0;
  auto text = read_whole_file(options_.file);
  if (!text) return "Error loading ACLs, opening file '" + options_.file + "': " + text.error();
  Users users;
  if (std::string problems = read_lines(*text, users); !problems.empty()) return problems + kNothingChanged;
  take_over(std::move(users));
  return "";
}

std::string Acl::save_file() const {
  if (options_.file.empty()) return kNoFile;
  std::string text;
  for (const std::string& line : lines()) text += line + '\n';
  std::string problem = replace_file(options_.file, text);
  if (problem.empty()) return "";
  vitrine::log(LogLevel::warning, "Saving ACL file: %s", problem.c_str());
  return "There was an error trying to save the ACLs. Please check the server logs for more information";
}

std::vector<std::string> Acl::lines() const {
  std::vector<std::string> lines;
  for (const auto& [name, user] : users_) lines.push_back("user " + name + ' ' + user->text());
  return lines;
}

std::expected<AclUser, UserLineProblem> user_of(const AclOptions::UserLine& line, const ChannelDefault& channels) {
  if (line.name.find_first_of(" \t\n\v\f\r") != Bytes::npos)
    return std::unexpected(UserLineProblem{"", "Spaces not allowed in ACL usernames", true});
  std::vector<Bytes> words(line.rules.begin(), line.rules.end());
  std::vector<std::string> rules;
  if (std::string open = join_selectors(words, rules); !open.empty()) {
    std::string reason = "Unmatched parenthesis in selector definition";
    return std::unexpected(UserLineProblem{reason, reason + " of the user named '" + line.name + "'"});
  }
  AclUser user(line.name, channels);
  if (line.name == "default") rules.insert(rules.begin(), "reset");
  size_t at = 0;
  std::string reason = user.apply(rules, at);
  if (reason.empty()) return user;
  std::string text = "Error loading ACL rule '" + shown_rule(rules[at]) + "' for the user named '" + line.name + "': ";
  return std::unexpected(UserLineProblem{reason, text + reason, reason.starts_with("Unknown command")});
}

std::string Acl::load_configured_users() {
  for (const AclOptions::UserLine& line : options_.users) {
    auto user = user_of(line, options_.pubsub_default);
    if (!user) return user.error().text;
    User& slot = users_[line.name];
    if (slot) *slot = std::move(*user);
    else slot = std::make_shared<AclUser>(std::move(*user));
  }
  return "";
}

std::string Acl::load_at_start() {
  if (options_.file.empty()) return load_configured_users();
  if (!options_.users.empty())
    return "Configuring Redis with users defined in redis.conf and at the same setting an ACL file path is invalid. "
           "This setup is very likely to lead to configuration errors and security holes, please define either an ACL "
           "file or declare users directly in your redis.conf, but not both.";
  std::string problem = load_file();
  return problem.empty() ? "" : "Aborting Redis startup because of ACL errors: " + problem;
}

}  // namespace vitrine
