// Info: the INFO command: sections by name, each written by a function.
//
// Rooms that get built later replace a section (persistence, replication, cluster) with one of their own.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "console/info_text.h"

namespace vitrine {

class Call;

class Info {
 public:
  using Writer = std::function<void(InfoText&)>;
  enum class Shown : uint8_t { by_default, with_all, with_everything };

  // In the order of the calls; a section of that name gets a new writer instead. `title` as in the heading; the name
  // to ask by is the title in lower case.
  void set_section(Bytes title, Shown shown, Writer writer);
  // INFO with these section names ("default", "all", "everything" among them); no name: the default ones. Unknown
  // names are ignored.
  std::string render(std::span<const Bytes> names) const;

 private:
  struct Section {
    std::string title, name;
    Shown shown;
    Writer write;
  };
  std::vector<Section> sections_;
};

}  // namespace vitrine
