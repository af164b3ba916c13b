// Census: every key of a snapshot, counted by type and by database, with the largest of each type.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "store/entry.h"

namespace vitrine {

class Census {
 public:
  // `bytes`: of the file.
  void add(uint64_t db, const Entry& entry, uint64_t bytes);

  uint64_t keys() const { return keys_; }
  uint64_t bytes() const { return bytes_; }
  // A table, with an end of line behind each row.
  std::string text() const;

 private:
  struct Tally {
    uint64_t keys = 0, elements = 0, bytes = 0;
    std::string largest_key;
    uint64_t largest_bytes = 0, largest_elements = 0;
  };

  std::map<Type, Tally> types_;
  std::map<uint64_t, std::pair<uint64_t, uint64_t>> databases_;   // keys, of them with an expiry
  uint64_t keys_ = 0, bytes_ = 0;
};

double percent_of(uint64_t part, uint64_t whole);
// Its beginning, as far as it can be printed.
std::string printable(Bytes key);

}  // namespace vitrine
