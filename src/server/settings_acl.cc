// Settings of access control, and the `user` lines of a configuration.
#include "engine/acl_options.h"
#include "engine/acl_user.h"
#include "server/settings_table.h"

namespace vitrine {

namespace {

constexpr EnumName kChannelDefaults[] = {{"allchannels", static_cast<int>(ChannelDefault::all)},
                                         {"resetchannels", static_cast<int>(ChannelDefault::none)}};

Refusal read_user(std::span<const std::string> words, AclOptions& o) {
  if (words.empty()) return "Bad directive or wrong number of arguments";
  for (const AclOptions::UserLine& line : o.users)
    if (line.name == words[0])
      return "Error in user declaration '" + words[0] +
             "': Duplicate user found. A user can only be defined once in config files";
  AclOptions::UserLine line{words[0], {words.begin() + 1, words.end()}};
  if (auto user = user_of(line, o.pubsub_default); !user && !user.error().may_wait)
    return "Error in user declaration '" + words[0] + "': " + user.error().reason;
  o.users.push_back(std::move(line));
  return {};
}

}  // namespace

void register_acl_settings(Settings& settings, AclOptions& o) {
  settings.enumeration("acl-pubsub-default", &o.pubsub_default, kChannelDefaults);
  settings.text("aclfile", &o.file).immutable();
  settings.integer("acllog-max-len", &o.log_max_len, 0, INT64_MAX);
  settings.directive("user", [&o](std::span<const std::string> words) { return read_user(words, o); });
}

}  // namespace vitrine
