#include "console/info.h"

#include <optional>

namespace vitrine {

void Info::set_section(Bytes title, Shown shown, Writer writer) {
  for (Section& section : sections_)
    if (section.title == title) {
      section.shown = shown;
      section.write = std::move(writer);
      return;
    }
  sections_.push_back({std::string(title), to_lower(title), shown, std::move(writer)});
}

std::string Info::render(std::span<const Bytes> names) const {
  std::optional<Shown> set;
  auto widen = [&](Shown to) {
    if (!set || *set < to) set = to;
  };
  if (names.empty()) widen(Shown::by_default);
  for (Bytes name : names) {
    if (equals_ignoring_case(name, "default")) widen(Shown::by_default);
    else if (equals_ignoring_case(name, "all")) widen(Shown::with_all);
    else if (equals_ignoring_case(name, "everything")) widen(Shown::with_everything);
  }
  InfoText text;
  for (const Section& section : sections_) {
    bool wanted = set && section.shown <= *set;
    for (Bytes name : names) wanted = wanted || equals_ignoring_case(name, section.name);
    if (!wanted) continue;
    text.section(section.title);
    section.write(text);
  }
  return text.text();
}

}  // namespace vitrine
