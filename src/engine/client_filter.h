// ClientFilter: which clients CLIENT LIST shows and CLIENT KILL ends. All conditions given must hold.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/call.h"

namespace vitrine {

class ClientFilter {
 public:
  // Reads filters until the arguments end (those of CLIENT KILL's new form and CLIENT LIST); false when an error has
  // been replied. Several ids may follow ID.
  bool read(Args& args);
  bool matches(const Session& session, const Session& asker, int64_t now_ms) const;
  Bytes bad_id = "ERR client-id should be greater than 0";
  int64_t least_id = 1;
  // What stands behind the ids and is no filter was meant as an id.
  bool wants_ids = false;
  // CLIENT KILL spares the asker unless told otherwise.
  bool skip_me = true;
  // Whether there is such a user.
  std::function<bool(Bytes)> is_user = [](Bytes) { return true; };

 private:
  // A condition and, for the NOT- forms, its opposite.
  template <class T>
  struct Pair {
    std::optional<T> is, is_not;
  };
  bool read_one(Args& args);
  void read_ids(Args& args, std::vector<SessionId>& ids);

  std::vector<SessionId> ids_, not_ids_;
  size_t behind_ids_ = 0;   // where the last list of ids ended
  Pair<std::string> type_, user_, address_, local_address_, name_, flags_, library_name_, library_version_, capability_,
      ip_;
  Pair<int64_t> db_;
  std::optional<int64_t> max_age_s_, idle_s_;
};

}  // namespace vitrine
